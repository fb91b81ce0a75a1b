package litellm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// call is a call as LiteLLM's own callback told of it; testdata/truth.py wrote
// it.
type call struct {
	Handler  string         `json:"handler"`
	ID       string         `json:"call_id"`
	Type     string         `json:"type"`
	Status   string         `json:"status"`
	Stream   bool           `json:"stream"`
	CacheHit bool           `json:"cache_hit"`
	Cost     json.Number    `json:"cost"`
	Input    int64          `json:"input"`
	Output   int64          `json:"output"`
	Usage    map[string]any `json:"usage"`
	Model    string         `json:"model"` // with the provider's prefix
	Group    string         `json:"group"`
	Provider string         `json:"provider"`
	Start    float64        `json:"start"` // Unix seconds
	End      float64        `json:"end"`
	Key      string         `json:"key"`
	KeyAlias string         `json:"key_alias"`
	Team     string         `json:"team"`
	TeamName string         `json:"team_alias"`
	User     string         `json:"user"`
	Email    string         `json:"email"`
}

// amount is what the call cost: 10^-15 dollars, rounded once, half to even.
func (c call) amount(t *testing.T) billing.Amount {
	t.Helper()
	cost, err := billing.ParseAmount(cmp.Or(c.Cost.String(), "0"))
	require.NoError(t, err, "the cost of call %s", c.ID)
	return cost
}

// line is the row that the call belongs to.
func (c call) line() line {
	return line{
		Hour:     time.UnixMicro(int64(c.Start * 1e6)).UTC().Truncate(time.Hour).Format(time.RFC3339),
		Provider: c.Provider, Model: strings.TrimPrefix(c.Model, c.Provider+"/"), Team: c.Team, User: c.User,
	}
}

// calls are the calls so far, each once. LiteLLM tells its callback of a call
// in two ways, of some calls in both; the asynchronous one is what its spend
// reports use, and calls of the synchronous SDK have only the other. Attempts
// that failed before the call did not, and parts of lines, are left out.
func (w *world) calls() []call {
	w.t.Helper()
	var (
		all   []call
		async = make(map[string]bool)
	)
	for _, text := range lines(w.t, w.truth) {
		var c call
		require.NoError(w.t, json.Unmarshal(text, &c), "%s", text)
		if c.Status == "success" || !c.zero() {
			all = append(all, c)
			async[c.ID] = async[c.ID] || c.Handler == "async"
		}
	}
	once := all[:0]
	for _, c := range all {
		if c.Handler == "async" || !async[c.ID] {
			once = append(once, c)
		}
	}
	return once
}

func (c call) zero() bool {
	f, err := c.Cost.Float64()
	return err != nil || f == 0
}

// told says whether LiteLLM's callback has told of the call.
func (w *world) told(id string) bool {
	w.t.Helper()
	for _, text := range lines(w.t, w.truth) {
		if bytes.Contains(text, []byte(strconv.Quote(id))) {
			return true
		}
	}
	return false
}

// lines are a file's whole lines; a file that is not there yet has none.
func lines(t *testing.T, file string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	all := bytes.Split(text, []byte("\n"))
	return all[:len(all)-1] // what follows the last newline is no line yet
}
