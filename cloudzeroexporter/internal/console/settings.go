package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// settings is GET /cloudzero/settings: the configuration without its secrets,
// and whether it works.
type settings struct {
	exports Exports
	opts    Options
}

func (s *settings) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	state := s.exports.State(time.Now())
	status := "active"
	switch {
	case s.opts.Settings.DryRun:
		status = "dry_run"
	case state.LastError != nil, len(state.Conflicts) > 0:
		status = "error"
	}
	lastError := ""
	if state.LastError != nil {
		lastError = state.LastError.Error()
	}
	reply(w, s.opts.Logger, http.StatusOK, struct {
		APIKeyMasked string     `json:"api_key_masked"`
		ConnectionID string     `json:"connection_id"`
		Timezone     string     `json:"timezone"`
		Status       string     `json:"status"`
		LastPost     *time.Time `json:"last_post"`
		NextRound    *time.Time `json:"next_round"`
		DueHours     int        `json:"due_hours"`
		LastError    string     `json:"last_error,omitempty"`
	}{
		masked(s.opts.Settings.APIKey), s.opts.Settings.ConnectionID, s.opts.Settings.Timezone.String(), status,
		known(state.LastPost), known(state.NextRound), state.Due, lastError,
	})
}

// masked shows as much of a key as tells it from another.
func masked(key string) string {
	const shown = 4
	if len(key) < 4*shown {
		return strings.Repeat("*", min(len(key), shown))
	}
	return key[:shown] + "****" + key[len(key)-shown:]
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// check is POST /cloudzero/test: whether AnyCost knows key and connection.
type check struct {
	exports Exports
	opts    Options
}

func (c *check) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := read(r, &struct{}{}); err != nil {
		fail(w, c.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	result, err := c.exports.Check(r.Context())
	switch {
	case errors.Is(err, shipper.ErrDryRun):
		fail(w, c.opts.Logger, http.StatusConflict, err.Error())
		return
	case err != nil:
		fail(w, c.opts.Logger, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer := struct {
		Status        string   `json:"status"`
		Message       string   `json:"message"`
		MissingScopes []string `json:"missing_scopes"`
	}{"success", "CloudZero knows the key and the connection", append([]string{}, result.Missing...)}
	if !result.Connected {
		answer.Status, answer.Message = "error", result.Problem
	}
	reply(w, c.opts.Logger, http.StatusOK, answer)
}
