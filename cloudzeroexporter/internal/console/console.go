package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// Exports is what the console asks of the exporter.
type Exports interface {
	// Export posts what the request chooses.
	Export(context.Context, shipper.Request) (shipper.Report, error)
	// Preview visits the hours that an export would post, and posts nothing.
	Preview(context.Context, shipper.Selection, func(ledger.Contents) error) error
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
}

// Settings are what the console shows of the configuration.
type Settings struct {
	APIKey, ConnectionID string
	DryRun               bool
	Timezone             *time.Location
}

// Options are what the console needs to know.
type Options struct {
	Format   cbf.Format
	Settings Settings
	// Token, if set, is asked of every request, as a bearer token.
	Token string
	// Loopback says that the console listens on this machine only; then it
	// answers to this machine's names only.
	Loopback bool
	Logger   *zap.Logger
}

// Handler serves the console.
func Handler(e Exports, opts Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /cloudzero/dry-run", &dryRun{e, opts})
	mux.Handle("POST /cloudzero/export", &export{e, opts})
	mux.Handle("POST /cloudzero/test", &check{e, opts})
	mux.Handle("GET /cloudzero/settings", &settings{e, opts})
	mux.Handle("GET /cloudzero/hours", &hours{e, opts})
	mux.Handle("GET /cloudzero/hours/{hour}/rows", &rows{e, opts})
	mux.Handle("GET /cloudzero/summary", &summary{e, opts})
	mux.Handle("GET /cloudzero/balance", &balance{e, opts})
	mux.Handle("GET /{$}", &page{e, opts})
	mux.Handle("GET /web/page.css", http.FileServerFS(web))
	mux.Handle("GET /web/page.js", http.FileServerFS(web))
	// A page of another site must not make a browser post on its behalf.
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, opts.Logger, http.StatusForbidden, "requests from other sites are refused")
	}))
	return opts.onlyOwnHost(sameOrigin.Handler(newSession(opts).only(mux)))
}

// onlyOwnHost keeps a foreign name that resolves to this machine (DNS rebinding)
// from reaching a console that trusts everyone on it.
func (o Options) onlyOwnHost(next http.Handler) http.Handler {
	if !o.Loopback {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsLoopback(r.Host) {
			fail(w, o.Logger, http.StatusForbidden, "the console answers to localhost only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// IsLoopback says whether an address, with or without a port, is this machine's
// own.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// read reads a request's body, which may be missing.
func read(r *http.Request, body any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(body); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// problem is how errors look, as LiteLLM's do.
type problem struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, log *zap.Logger, status int, message string) {
	reply(w, log, status, struct {
		Detail problem `json:"detail"`
	}{problem{message}})
}

func reply(w http.ResponseWriter, log *zap.Logger, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Debug("An answer of the console did not reach its reader", zap.Error(err))
	}
}
