package console

import (
	"encoding/json"
	"net/http"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// dryRun is POST /cloudzero/dry-run: the very rows that an export would post.
type dryRun struct {
	exports Exports
	opts    Options
}

// dryRunData is its answer's data.
type dryRunData struct {
	UsageData []usageRow        `json:"usage_data"`
	CBFData   []json.RawMessage `json:"cbf_data"`
	Summary   dryRunSummary     `json:"summary"`
}

type dryRunSummary struct {
	TotalCost    number `json:"total_cost"`
	TotalTokens  uint64 `json:"total_tokens"`
	TotalRecords int    `json:"total_records"`
	// UniqueAccounts is the number of teams, UniqueServices that of providers.
	UniqueAccounts int `json:"unique_accounts"`
	UniqueServices int `json:"unique_services"`
}

// usageRow is a row in the words of LiteLLM.
type usageRow struct {
	Hour              billing.Hour      `json:"hour"`
	Provider          string            `json:"custom_llm_provider"`
	Model             string            `json:"model"`
	TeamID            string            `json:"team_id,omitempty"`
	TeamAlias         string            `json:"team_alias,omitempty"`
	APIKeyAlias       string            `json:"api_key_alias,omitempty"`
	Split             map[string]string `json:"split,omitempty"`
	Spend             number            `json:"spend"`
	APIRequests       uint64            `json:"api_requests"`
	PromptTokens      uint64            `json:"prompt_tokens"`
	CompletionTokens  uint64            `json:"completion_tokens"`
	CacheReadTokens   uint64            `json:"cache_read_input_tokens,omitempty"`
	CacheCreateTokens uint64            `json:"cache_creation_input_tokens,omitempty"`
}

// number is an amount as a JSON number, with all its digits.
type number struct{ billing.Amount }

// MarshalJSON implements [json.Marshaler].
func (n number) MarshalJSON() ([]byte, error) { return n.Append(nil), nil }

func (d *dryRun) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body selection
	err := read(r, &body)
	var chosen shipper.Selection
	if err == nil {
		chosen, err = body.choose(d.opts.Settings.Timezone)
	}
	if err != nil {
		fail(w, d.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	// The limit cuts the lists, never the summary.
	limit := chosen.Limit
	chosen.Limit = 0
	accounts, services := make(map[string]bool), make(map[string]bool)
	data := dryRunData{UsageData: []usageRow{}, CBFData: []json.RawMessage{}}
	err = d.exports.Preview(r.Context(), chosen, func(c ledger.Contents) error {
		for _, row := range c.Rows {
			accounts[row.Team], services[row.Provider] = true, true
			if limit > 0 && len(data.CBFData) == limit {
				continue
			}
			data.UsageData = append(data.UsageData, usageRowOf(c.Hour, row))
			data.CBFData = append(data.CBFData, d.opts.Format.AppendJSON(nil, c.Hour, row))
		}
		data.Summary.TotalCost.Amount = data.Summary.TotalCost.Add(c.Totals.Cost)
		data.Summary.TotalTokens += c.Totals.Tokens.Total()
		data.Summary.TotalRecords += len(c.Rows)
		return nil
	})
	if err != nil {
		fail(w, d.opts.Logger, http.StatusInternalServerError, err.Error())
		return
	}
	data.Summary.UniqueAccounts, data.Summary.UniqueServices = len(accounts), len(services)
	reply(w, d.opts.Logger, http.StatusOK, struct {
		Message string        `json:"message"`
		Status  string        `json:"status"`
		Data    dryRunData    `json:"dry_run_data"`
		Summary dryRunSummary `json:"summary"`
	}{"CloudZero dry run export completed successfully.", "success", data, data.Summary})
}

func usageRowOf(h billing.Hour, r cbf.Row) usageRow {
	u := usageRow{
		Hour: h, Provider: r.Provider, Model: r.Model, TeamID: r.Team, TeamAlias: r.TeamAlias, APIKeyAlias: r.APIKeyAlias,
		Spend: number{r.Cost}, APIRequests: r.Requests, PromptTokens: r.Tokens.Input, CompletionTokens: r.Tokens.Output,
		CacheReadTokens: r.Tokens.CacheRead, CacheCreateTokens: r.Tokens.CacheWrite,
	}
	if len(r.Split) > 0 {
		u.Split = make(map[string]string, len(r.Split))
		for _, s := range r.Split {
			u.Split[s.Name] = s.Value
		}
	}
	return u
}
