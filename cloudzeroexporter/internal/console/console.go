package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// Exports is what the console asks of the exporter.
type Exports interface {
	// Export posts what the request chooses; Progress is how far one has come.
	Export(context.Context, shipper.Request) (shipper.Report, error)
	Progress() shipper.Progress
	// Choose returns the hours that an export would post, and posts nothing.
	Choose(shipper.Selection) []ledger.Summary
	// Settle takes somebody's word on whether an addition took effect.
	Settle(ctx context.Context, at billing.Hour, tookEffect bool) (shipper.Doubt, error)
	// Check asks AnyCost what the key may do.
	Check(context.Context) (shipper.Check, error)
	// State is how things are.
	State(time.Time) shipper.State
	// Hours are the hours in the books, Contents one with its rows.
	Hours() []ledger.Summary
	Contents(context.Context, billing.Hour) (ledger.Contents, error)
	// Due says whether an hour waits to be posted.
	Due(ledger.Summary) bool
	// Rejected is the cost of calls that came too late.
	Rejected() billing.Amount

	// Settings are where is posted to, and why.
	Settings() Settings
	// SetUp and Forget change that. What SetUp returns now waits for the
	// connection before.
	SetUp(context.Context, setup.Credentials) (left billing.Amount, err error)
	Forget(context.Context) error

	// Outcomes is what became of everything that came since the start.
	Outcomes() Outcomes
	// Warnings are mistakes in how LiteLLM or the collector is set up.
	Warnings() []Warning
}

// Warning is a mistake in how LiteLLM or the collector is set up that keeps calls
// from being billed right.
type Warning struct {
	// What is wrong, and Advice what to do, each a sentence.
	What, Advice string
	// Since is when it was noticed first, Count how often it is seen now.
	Since time.Time
	Count int64
}

// Options are what the console needs to know.
type Options struct {
	// Current is what to ask. It may change when a connection is set up.
	Current func() Exports
	Format  cbf.Format
	// Token, if set, is asked of every request, as a bearer token.
	Token string
	// Loopback says that the console listens on this machine only; then it
	// answers to this machine's names only.
	Loopback bool
	Logger   *zap.Logger
}

// maxBodyBytes bounds a request's body, whatever the server allows.
const maxBodyBytes = 64 << 10

// Console serves the page and the API.
type Console struct {
	*console
	handler http.Handler
	first   sync.Once     // request
	looked  chan struct{} // closed by it
}

// ServeHTTP implements [http.Handler].
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.handler.ServeHTTP(w, r)
	c.first.Do(func() { close(c.looked) })
}

// Warm waits for the first request and then adds up all hours of the books, until
// ctx ends, so that who looks around does not have to wait. It takes memory, so not
// before somebody does.
func (c *Console) Warm(ctx context.Context) {
	select {
	case <-c.looked:
	case <-ctx.Done():
		return
	}
	e := c.Current()
	for _, h := range e.Hours() {
		if ctx.Err() != nil {
			return
		}
		_, _ = c.sums.hour(ctx, e, h) // who looks at it is told
	}
}

// console is what all requests share.
type console struct {
	Options
	sums *sums
}

// answer answers a request of the API. What it returns is the body; an error is
// a [*refusal], or else an internal one.
type answer func(e Exports, r *http.Request) (any, error)

// Handler returns the console.
func Handler(opts Options) *Console {
	c := &console{Options: opts, sums: newSums()}
	mux := http.NewServeMux()
	for path, methods := range map[string]map[string]http.Handler{
		"/cloudzero/dry-run":            {http.MethodPost: c.api(c.dryRun)},
		"/cloudzero/export":             {http.MethodPost: http.HandlerFunc(c.export), http.MethodGet: c.api(c.progress)},
		"/cloudzero/test":               {http.MethodPost: c.api(c.test)},
		"/cloudzero/settings":           {http.MethodGet: c.api(c.settings), http.MethodPut: c.api(c.setUp), http.MethodDelete: c.api(c.forget)},
		"/cloudzero/init":               {http.MethodPost: c.api(c.setUp)},    // LiteLLM's name for the first PUT
		"/cloudzero/delete":             {http.MethodDelete: c.api(c.forget)}, // LiteLLM's name
		"/cloudzero/hours":              {http.MethodGet: c.api(c.hours)},
		"/cloudzero/hours/{hour}/rows":  {http.MethodGet: http.HandlerFunc(c.rows)},
		"/cloudzero/hours/{hour}/doubt": {http.MethodPost: c.api(c.settleDoubt)},
		"/cloudzero/summary":            {http.MethodGet: c.api(c.summary)},
		"/cloudzero/balance":            {http.MethodGet: c.api(c.balance)},
		"/cloudzero/outcomes":           {http.MethodGet: c.api(c.outcomes)},
	} {
		allowed := make([]string, 0, len(methods))
		for method, h := range methods {
			mux.Handle(method+" "+path, h)
			allowed = append(allowed, method)
		}
		mux.Handle(path, c.onlyMethods(allowed))
	}
	mux.HandleFunc("/cloudzero/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, http.StatusNotFound, fmt.Sprintf("there is no %s; the exporter's README lists what there is", r.URL.Path))
	})
	mux.HandleFunc("GET /{$}", c.page)
	mux.HandleFunc("POST /doubt", c.doubtForm)
	mux.Handle("GET /static/", http.FileServerFS(static))
	// A page of another site must not make a browser post on its behalf.
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.fail(w, http.StatusForbidden, "requests from other sites are refused")
	}))
	bounded := http.MaxBytesHandler(newSession(c).only(mux), maxBodyBytes)
	return &Console{console: c, handler: guarded(c.onlyOwnHost(sameOrigin.Handler(bounded))), looked: make(chan struct{})}
}

func (c *console) onlyMethods(allowed []string) http.Handler {
	slices.Sort(allowed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		c.fail(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s is not for %s; use %s", r.URL.Path, r.Method, strings.Join(allowed, " or ")))
	})
}

// refusal is an error with the status that it is answered with.
type refusal struct {
	status int
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

func refuse(status int, err error) error { return &refusal{status, err} }

func badRequest(err error) error { return refuse(http.StatusBadRequest, err) }

// api answers with JSON.
func (c *console) api(a answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := a(c.Current(), r)
		if err != nil {
			c.failWith(w, err)
			return
		}
		c.reply(w, http.StatusOK, body)
	})
}

// read reads a request's body, which may be missing.
func read(r *http.Request, body any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(body)
	if err == nil {
		_, err = decoder.Token()
		if err == nil {
			err = errors.New("there is more behind the JSON object")
		}
	}
	var (
		wrongType *json.UnmarshalTypeError
		syntax    *json.SyntaxError
		tooLarge  *http.MaxBytesError
	)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &tooLarge):
		return refuse(http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", tooLarge.Limit))
	case errors.As(err, &wrongType) && wrongType.Field != "":
		field := wrongType.Field[strings.LastIndex(wrongType.Field, ".")+1:]
		return badRequest(fmt.Errorf("%s: expected %s, not a JSON %s", field, jsonName(wrongType.Type.String()), wrongType.Value))
	case errors.As(err, &wrongType):
		return badRequest(fmt.Errorf("the body is not a JSON object but of type %s", wrongType.Value))
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest(fmt.Errorf("the body is not JSON: %w", err))
	default:
		return badRequest(errors.New(strings.TrimPrefix(err.Error(), "json: ")))
	}
}

// jsonName is what a Go type is called in JSON.
func jsonName(goType string) string {
	switch {
	case goType == "int":
		return "a whole number"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "[]"):
		return "a list of texts"
	default:
		return "a text"
	}
}

// problem is how errors look, as LiteLLM's do.
type problem struct {
	Error string `json:"error"`
	// Progress is that of the export that is in the way.
	Progress *progressLine `json:"progress,omitempty"`
}

// failWith answers with an error and the status that fits it.
func (c *console) failWith(w http.ResponseWriter, err error) {
	p := problem{Error: err.Error()}
	var busy *shipper.BusyError
	if errors.As(err, &busy) {
		line := lineOf(busy.Progress)
		p.Progress = &line
	}
	c.reply(w, statusOf(err), failure{p})
}

// statusOf is the status that fits an error.
func statusOf(err error) int {
	var (
		refused  *refusal
		conflict *shipper.ConflictError
		busy     *shipper.BusyError
	)
	switch {
	case errors.As(err, &refused):
		return refused.status
	case errors.As(err, &busy), errors.As(err, &conflict), errors.Is(err, shipper.ErrDryRun), errors.Is(err, shipper.ErrNoConnection):
		return http.StatusConflict
	case errors.Is(err, shipper.ErrUnknownHour):
		return http.StatusNotFound
	case errors.Is(err, shipper.ErrStopped):
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// failure is the body of an answer with an error.
type failure struct {
	Detail problem `json:"detail"`
}

func (c *console) fail(w http.ResponseWriter, status int, message string) {
	c.reply(w, status, failure{problem{Error: message}})
}

func (c *console) reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // it is no HTML, and nosniff says so
	if err := encoder.Encode(body); err != nil {
		c.Logger.Debug("An answer of the console did not reach its reader", zap.Error(err))
	}
}
