package anycosttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Scope is a permission of an API key.
type Scope string

// The scopes that CloudZero gives separately.
const (
	Create   Scope = "create"
	Validate Scope = "validate"
	List     Scope = "list"
	Read     Scope = "read"
)

// Config is what the server knows and allows. Zero limits are the documented
// ones.
type Config struct {
	// APIKey and ConnectionID are what requests must carry; "" takes any.
	APIKey, ConnectionID string
	// Denied are scopes that the key lacks.
	Denied []Scope
	// Refuse is part of the resource ids that are refused, for whatever reason
	// CloudZero may have; "" refuses none.
	Refuse string
	// MaxBodyBytes is the largest body of one request; 5 MB.
	MaxBodyBytes int
	// MaxMonthBytes and MaxMonthRows are what a month holds; 70 MB, a million.
	MaxMonthBytes, MaxMonthRows int
}

// Server is the stand-in for one stream. It is an [http.Handler], and safe for
// concurrent use.
type Server struct {
	cfg Config

	mu         sync.Mutex // guards everything below
	months     map[string]month
	requests   []Request
	violations []string
	faults     []Fault
	tags       map[[2]string]string // by resource id and tag
	replays    map[string]reply     // by method, path and idempotency key
	posting    bool
	late       []*time.Timer
	drops      int
}

// Request is one request as the server saw it.
type Request struct {
	Time         time.Time
	Method, Path string
	// Status is 0 when no answer was sent.
	Status    int
	Operation string
	Hours     []string
	Rows      int
	Bytes     int
}

// reply is an answer; a body that is a string is sent as it is.
type reply struct {
	status     int
	body       any
	retryAfter string
}

// New returns an empty stream.
func New(cfg Config) *Server {
	if cfg.MaxBodyBytes == 0 {
		cfg.MaxBodyBytes = 5_000_000
	}
	if cfg.MaxMonthBytes == 0 {
		cfg.MaxMonthBytes = 70_000_000
	}
	if cfg.MaxMonthRows == 0 {
		cfg.MaxMonthRows = 1_000_000
	}
	return &Server{
		cfg:     cfg,
		months:  make(map[string]month),
		tags:    make(map[[2]string]string),
		replays: make(map[string]reply),
	}
}

// Close cancels effects that are still to come.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.late {
		t.Stop()
	}
}

// Requests are all requests so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Violations are the requests' offences against the documentation.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

const prefix = "/v2/connections/billing/anycost/"

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(s.cfg.MaxBodyBytes)+1))
	if err != nil {
		return // the client went away
	}
	request := Request{Time: time.Now(), Method: r.Method, Path: r.URL.Path, Bytes: len(body)}
	answer := s.answer(r, body, &request)
	request.Status = answer.status
	s.mu.Lock()
	s.requests = append(s.requests, request)
	s.mu.Unlock()
	if answer.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.retryAfter != "" {
		w.Header().Set("Retry-After", answer.retryAfter)
	}
	w.WriteHeader(answer.status)
	if text, raw := answer.body.(string); raw {
		_, _ = io.WriteString(w, text)
		return
	}
	_ = json.NewEncoder(w).Encode(answer.body)
}

// answer decides, has the effect, and returns the answer; none has status 0.
func (s *Server) answer(r *http.Request, body []byte, request *Request) reply {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/billing_drops") {
		if !s.enter() {
			return s.violate(http.StatusTooManyRequests, "a second request at the same time")
		}
		defer s.leave()
	}
	fault := s.fault(r.Method)
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-r.Context().Done():
			return reply{}
		}
	}
	switch {
	case fault.DropBefore:
		return reply{}
	case fault.Status != 0:
		return reply{fault.Status, fault.Body, fault.RetryAfter}
	case fault.EffectAfter > 0:
		s.later(fault.EffectAfter, func() { s.replayed(r, body, &Request{}) })
		return reply{}
	}
	answer := s.replayed(r, body, request)
	if fault.DropAfter {
		return reply{}
	}
	return answer
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.posting {
		return false
	}
	s.posting = true
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posting = false
}

func (s *Server) later(after time.Duration, effect func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, time.AfterFunc(after, effect))
}

// replayed answers as before a request that has an idempotency key of before.
// The body is not part of the key.
func (s *Server) replayed(r *http.Request, body []byte, request *Request) reply {
	key := r.Header.Get("Cloudzero-Idempotency-Key")
	if key == "" {
		return s.route(r, body, request)
	}
	key = r.Method + " " + r.URL.Path + " " + key
	s.mu.Lock()
	answer, known := s.replays[key]
	s.mu.Unlock()
	if known {
		return answer
	}
	answer = s.route(r, body, request)
	s.mu.Lock()
	s.replays[key] = answer
	s.mu.Unlock()
	return answer
}

func (s *Server) route(r *http.Request, body []byte, request *Request) reply {
	path, found := strings.CutPrefix(r.URL.Path, prefix)
	if !found {
		return s.violate(http.StatusNotFound, "unknown path "+r.URL.Path)
	}
	if denied, ok := s.authorize(r); !ok {
		return denied
	}
	connection, rest, _ := strings.Cut(path, "/")
	monthName, oneMonth := strings.CutPrefix(rest, "billing_drops/")
	switch {
	case r.Method == http.MethodPost && path == "validate_billing_drop":
		return s.allowed(Validate, func() reply { return s.validate(r, body) })
	case r.Method == http.MethodPost && rest == "billing_drops":
		return s.allowed(Create, s.of(connection, func() reply { return s.create(r, body, request) }))
	case r.Method == http.MethodGet && rest == "billing_drops":
		return s.allowed(List, s.of(connection, s.list))
	case r.Method == http.MethodGet && oneMonth:
		return s.allowed(Read, s.of(connection, func() reply { return s.read(monthName) }))
	default:
		return s.violate(http.StatusNotFound, "unknown request "+r.Method+" "+r.URL.Path)
	}
}

// of does something for a connection if there is one of that name. Who lacks the
// scope is not told.
func (s *Server) of(connection string, do func() reply) func() reply {
	if s.cfg.ConnectionID != "" && connection != s.cfg.ConnectionID {
		return func() reply { return reply{status: http.StatusNotFound, body: message("connection not found")} }
	}
	return do
}

// authorize wants the bare key: "this is not a bearer token".
func (s *Server) authorize(r *http.Request) (reply, bool) {
	key := r.Header.Get("Authorization")
	if key == "" || strings.Contains(key, " ") {
		return s.violate(http.StatusForbidden, "Authorization is not a bare API key"), false
	}
	if s.cfg.APIKey != "" && key != s.cfg.APIKey {
		return reply{status: http.StatusForbidden, body: message("Forbidden")}, false
	}
	return reply{}, true
}

func (s *Server) allowed(scope Scope, do func() reply) reply {
	if slices.Contains(s.cfg.Denied, scope) {
		return reply{status: http.StatusForbidden, body: message("Forbidden")}
	}
	return do()
}

func (s *Server) create(r *http.Request, body []byte, request *Request) reply {
	if len(body) > s.cfg.MaxBodyBytes {
		return reply{status: http.StatusRequestEntityTooLarge, body: message("Request Too Long")}
	}
	d, problems := parse(r, body)
	request.Operation, request.Hours, request.Rows = d.Operation, d.hours(), len(d.rows)
	if len(problems) > 0 {
		return s.violate(http.StatusBadRequest, problems[0])
	}
	if refused := s.refused(d); len(refused) > 0 {
		return reply{status: http.StatusBadRequest, body: validationError(refused[0])}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	after := s.months[d.Month].apply(d)
	if len(after) > s.cfg.MaxMonthRows || after.bytes() > s.cfg.MaxMonthBytes {
		return s.violateLocked(http.StatusBadRequest, fmt.Sprintf("month %s would hold %d rows and %d bytes", d.Month, len(after), after.bytes()))
	}
	s.checkTagsLocked(d)
	s.months[d.Month] = after
	s.drops++
	return reply{status: http.StatusOK, body: map[string]any{"connection": map[string]any{
		"drop_id": fmt.Sprintf("drop-%d", s.drops), "month": d.Month + "-01T00:00:00Z", "row_count": len(d.rows),
	}}}
}

func (s *Server) validate(r *http.Request, body []byte) reply {
	if len(body) > s.cfg.MaxBodyBytes {
		return reply{status: http.StatusRequestEntityTooLarge, body: message("Request Too Long")}
	}
	d, problems := parse(r, body)
	problems = append(problems, s.refused(d)...)
	return reply{status: http.StatusOK, body: map[string]any{"connection": map[string]any{
		"is_valid": len(problems) == 0, "errors": append([]string{}, problems...),
	}}}
}

func (s *Server) list() reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	drops := []map[string]any{}
	for name, m := range s.months {
		drops = append(drops, map[string]any{"drop_id": "drop-" + name, "month": name + "-01T00:00:00Z", "row_count": len(m)})
	}
	slices.SortFunc(drops, func(a, b map[string]any) int { return strings.Compare(a["month"].(string), b["month"].(string)) })
	return reply{status: http.StatusOK, body: map[string]any{"billing_drops": drops}}
}

func (s *Server) read(name string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, found := s.months[name]
	if !found {
		return reply{status: http.StatusNotFound, body: message("no billing drop for " + name)}
	}
	return reply{status: http.StatusOK, body: map[string]any{"billing_drop": m.values()}}
}

// violate keeps an offence and answers it.
func (s *Server) violate(status int, what string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.violateLocked(status, what)
}

func (s *Server) violateLocked(status int, what string) reply {
	s.violations = append(s.violations, what)
	if status == http.StatusBadRequest {
		return reply{status: status, body: validationError(what)}
	}
	return reply{status: status, body: message(what)}
}

// refused says which rows the configuration refuses.
func (s *Server) refused(d drop) (problems []string) {
	s.mu.Lock()
	refuse := s.cfg.Refuse
	s.mu.Unlock()
	for i, r := range d.rows {
		if id := r.columns["resource/id"]; refuse != "" && strings.Contains(id, refuse) {
			problems = append(problems, fmt.Sprintf("row %d: %s is not welcome", i, id))
		}
	}
	return problems
}

func validationError(text string) map[string]any {
	return map[string]any{"error": map[string]string{"message": text, "type": "ValidationError"}}
}

func message(text string) map[string]string { return map[string]string{"message": text} }
