package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// maxDryRun is the most rows that a dry run lists, as LiteLLM's does; without a
// limit it is a page of them.
const maxDryRun = 10_000

// dryRunData is the data in a dry run's answer.
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

// dryRun is POST /cloudzero/dry-run: the very rows that an export would post.
func (c *console) dryRun(e Exports, r *http.Request) (any, error) {
	var body struct {
		selection
		Offset int `json:"offset"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	chosen, err := body.choose(e.Settings().Timezone)
	if err == nil && body.Offset < 0 {
		err = fmt.Errorf("offset: %d is not a number of rows", body.Offset)
	}
	if err != nil {
		return nil, badRequest(err)
	}
	// The limit cuts the lists, never the summary.
	list := span{body.Offset, maxPage}
	if chosen.Limit > 0 {
		list.limit = min(chosen.Limit, maxDryRun)
	}
	chosen.Limit = 0
	hours := e.Choose(chosen)
	data := dryRunData{UsageData: []usageRow{}, CBFData: []json.RawMessage{}}
	if err := c.listRows(r.Context(), e, hours, list, &data); err != nil {
		return nil, err
	}
	if data.Summary, err = c.sumUp(r.Context(), e, hours); err != nil {
		return nil, err
	}
	return struct {
		Message string        `json:"message"`
		Status  string        `json:"status"`
		Data    dryRunData    `json:"dry_run_data"`
		Summary dryRunSummary `json:"summary"`
	}{"CloudZero dry run export completed successfully.", "success", data, data.Summary}, nil
}

// listRows lists a part of the rows of the hours.
func (c *console) listRows(ctx context.Context, e Exports, hours []ledger.Summary, list span, data *dryRunData) error {
	before := 0
	for _, h := range hours {
		missing := list.limit - len(data.CBFData)
		if missing == 0 {
			return nil
		}
		if before+h.Rows <= list.offset {
			before += h.Rows
			continue
		}
		contents, err := e.Contents(ctx, h.Hour)
		if err != nil {
			return err
		}
		rows := part(span{max(0, list.offset-before), missing}, contents.Rows)
		before += len(contents.Rows)
		for _, row := range rows {
			data.UsageData = append(data.UsageData, usageRowOf(h.Hour, row))
			data.CBFData = append(data.CBFData, c.Format.AppendJSON(nil, h.Hour, row))
		}
	}
	return nil
}

// sumUp sums up all rows of the hours.
func (c *console) sumUp(ctx context.Context, e Exports, hours []ledger.Summary) (s dryRunSummary, err error) {
	accounts, services := make(map[string]bool), make(map[string]bool)
	for _, h := range hours {
		sums, err := c.sums.hour(ctx, e, h)
		if err != nil {
			return s, err
		}
		for _, line := range sums.by[byTeam] {
			accounts[line.Name] = true
			s.TotalCost.Amount = s.TotalCost.Add(line.Cost)
			s.TotalTokens += line.Tokens
		}
		for _, line := range sums.by[byProvider] {
			services[line.Name] = true
		}
		s.TotalRecords += sums.rows
	}
	s.UniqueAccounts, s.UniqueServices = len(accounts), len(services)
	return s, nil
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
