package anycosttest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"
)

// Fault is something that goes wrong with a request.
type Fault struct {
	// Method is the method of the requests that it befalls; "" means all.
	Method string
	// Times is how many requests it befalls: 0 means one, Forever all.
	Times int

	// Delay comes before everything else.
	Delay time.Duration
	// Status and Body are answered, without any effect.
	Status int
	Body   string
	// DropBefore breaks the connection without effect, DropAfter behind it.
	DropBefore, DropAfter bool
	// EffectAfter breaks the connection at once; the effect comes that much
	// later, perhaps behind that of newer requests.
	EffectAfter time.Duration
	// RetryAfter is the header of the answer.
	RetryAfter string
}

// Forever lets a fault befall every request until [Server.Heal].
const Forever = -1

// Fail adds faults to the script. Each request takes the first that befalls it.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		s.faults = append(s.faults, f)
	}
}

// Allow ends [Config.Refuse].
func (s *Server) Allow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Refuse = ""
}

// Forget loses the rows of an hour.
func (s *Server) Forget(hour string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, m := range s.months {
		s.months[name] = slices.DeleteFunc(slices.Clone(m), func(r row) bool { return r.hour() == hour })
	}
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) fault(method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := s.faults[i]
		if f.Method != "" && f.Method != method {
			continue
		}
		if f.Times > 0 {
			s.faults[i].Times--
			if f.Times == 1 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return Fault{}
}

// errBroken is what a client sees of a connection that breaks.
var errBroken = errors.New("connection reset by the stand-in")

// Transport sends requests to the server without a network, so that they take
// no time but what the script says; also where time is testing/synctest's.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (response *http.Response, err error) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler:
			response, err = nil, errBroken
			if r.Context().Err() != nil {
				err = r.Context().Err()
			}
		default:
			panic(cause)
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer func() { _ = r.Body.Close() }()
	recorder := httptest.NewRecorder()
	t.server.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}
