package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
)

// Source says who named the connection.
type Source string

const (
	// Nowhere is no connection at all.
	Nowhere Source = "none"
	// Configured is one of the configuration; the console cannot change it.
	Configured Source = "configuration"
	// GivenHere is one that was set up on the console.
	GivenHere Source = "console"
)

// Settings are where is posted to, and why.
type Settings struct {
	setup.Credentials
	Source   Source
	DryRun   bool
	Timezone *time.Location
	// Changeable says that a connection can be set up, or taken away, here.
	Changeable bool
	// Problem is why what was set up is not used; nil when it is.
	Problem error
	// Others are the connections whose books are kept beside those in use.
	Others []string
}

var (
	// ErrConfigured says that the configuration names the connection.
	ErrConfigured = errors.New("the configuration has api_key and connection_id, so they cannot be changed here; " +
		"take them out of it first, or change them there")
	// ErrNoToken says that there is nothing to encrypt credentials with.
	ErrNoToken = errors.New("set console::token first: credentials are encrypted with it, and it says who may give them")
)

// BadSettingError says which setting cannot be used.
type BadSettingError struct {
	Field string
	Err   error
}

// Error implements error.
func (e *BadSettingError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *BadSettingError) Unwrap() error { return e.Err }

// settingsView is the answer of GET /cloudzero/settings.
type settingsView struct {
	APIKeyMasked string     `json:"api_key_masked"`
	ConnectionID string     `json:"connection_id"`
	Timezone     string     `json:"timezone"`
	Status       string     `json:"status"`
	Source       Source     `json:"source"`
	Changeable   bool       `json:"changeable"`
	Problem      string     `json:"problem,omitempty"`
	Others       []string   `json:"other_connections,omitempty"`
	LastPost     *time.Time `json:"last_post"`
	NextRound    *time.Time `json:"next_round"`
	DueHours     int        `json:"due_hours"`
	LastError    string     `json:"last_error,omitempty"`
}

// settings is GET /cloudzero/settings: the configuration without its secrets,
// and whether it works.
func (*console) settings(e Exports, _ *http.Request) (any, error) {
	state, s := e.State(time.Now()), e.Settings()
	v := settingsView{
		APIKeyMasked: masked(s.APIKey), ConnectionID: s.ConnectionID, Timezone: s.Timezone.String(), Status: "active",
		Source: s.Source, Changeable: s.Changeable, Others: s.Others,
		LastPost: known(state.LastPost), NextRound: known(state.NextRound), DueHours: state.Due,
	}
	switch {
	case s.DryRun:
		v.Status = "dry_run"
	case s.Source == Nowhere:
		v.Status = "not_configured"
	case state.LastError != nil, len(state.Conflicts) > 0:
		v.Status = "error"
	}
	if s.Problem != nil {
		v.Problem = s.Problem.Error()
	}
	if state.LastError != nil {
		v.LastError = state.LastError.Error()
	}
	return v, nil
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

// done is the answer to a change of the settings.
type done struct {
	Message string `json:"message"`
	Status  string `json:"status"`
	// Left is what now waits for the connection before.
	Left *billing.Amount `json:"waiting_for_other_connection,omitempty"`
}

// setUp is PUT /cloudzero/settings: where to post, from now on. What is not given
// stays as it was set up before.
func (*console) setUp(e Exports, r *http.Request) (any, error) {
	var body struct {
		APIKey       string `json:"api_key"`
		ConnectionID string `json:"connection_id"`
		Timezone     string `json:"timezone"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	var before setup.Credentials
	if s := e.Settings(); s.Source == GivenHere {
		before = s.Credentials
	}
	left, err := e.SetUp(r.Context(), setup.Credentials{
		APIKey:       cmp.Or(body.APIKey, before.APIKey),
		ConnectionID: cmp.Or(body.ConnectionID, before.ConnectionID),
		Timezone:     cmp.Or(body.Timezone, before.Timezone),
	})
	if err != nil {
		return nil, settingsRefusal(err)
	}
	answer := done{Message: "CloudZero settings updated successfully", Status: "success"}
	if !left.IsZero() {
		answer.Left = &left
		answer.Message += fmt.Sprintf("; %s USD wait until the connection %s is set up again", left, before.ConnectionID)
	}
	return answer, nil
}

// forget is DELETE /cloudzero/settings: no connection any more.
func (*console) forget(e Exports, r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	if err := e.Forget(r.Context()); err != nil {
		return nil, settingsRefusal(err)
	}
	return done{Message: "CloudZero settings deleted successfully", Status: "success"}, nil
}

func settingsRefusal(err error) error {
	var bad *BadSettingError
	switch {
	case errors.As(err, &bad):
		return badRequest(err)
	case errors.Is(err, ErrConfigured), errors.Is(err, ErrNoToken):
		return refuse(http.StatusConflict, err)
	default:
		return err
	}
}

// test is POST /cloudzero/test: whether AnyCost knows key and connection.
func (*console) test(e Exports, r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	result, err := e.Check(r.Context())
	if err != nil {
		return nil, err
	}
	answer := struct {
		Status        string   `json:"status"`
		Message       string   `json:"message"`
		MissingScopes []string `json:"missing_scopes"`
	}{"success", "CloudZero knows the key and the connection", append([]string{}, result.Missing...)}
	if !result.Connected {
		answer.Status, answer.Message = "error", result.Problem
	}
	return answer, nil
}
