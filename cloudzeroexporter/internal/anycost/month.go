package anycost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// Counts asks how many rows AnyCost holds of each month. A key without the
// scope gets an [*Error] of class [Forbidden].
// https://docs.cloudzero.com/reference/getanycostdrops
func (c *Client) Counts(ctx context.Context) (map[string]int, error) {
	var reply struct {
		Drops []struct {
			Month    string `json:"month"` // 2026-11, or the time of its beginning
			RowCount int    `json:"row_count"`
		} `json:"billing_drops"`
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.drops.String(), http.NoBody)
	if err != nil {
		return nil, &Error{Class: Unavailable, Request: "GET " + c.drops.Redacted(), Err: err}
	}
	if err := c.do(request, &reply); err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(reply.Drops))
	for _, d := range reply.Drops {
		if len(d.Month) >= len("2026-11") {
			counts[d.Month[:len("2026-11")]] += d.RowCount
		}
	}
	return counts, nil
}

// Row is a row as AnyCost holds it.
type Row map[string]string

// Hour is the hour that the row is of.
func (r Row) Hour() (billing.Hour, error) { return billing.ParseHour(r["time/usage_start"]) }

// Read visits every row that AnyCost holds of a month, one at a time: a month
// can have 70 MB. A month that AnyCost has nothing of has none.
// https://docs.cloudzero.com/reference/getanycostdropbymonth
func (c *Client) Read(ctx context.Context, month billing.Month, visit func(Row) error) error {
	at := c.drops.JoinPath(month.String())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return &Error{Class: Unavailable, Request: "GET " + at.Redacted(), Err: err}
	}
	response, failed := c.ask(request)
	if failed != nil {
		return failed
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		return readRows(at, response.Body, visit)
	case http.StatusNotFound:
		return nil
	default:
		return c.refusal(request, response)
	}
}

// readRows decodes {"billing_drop":[row…]} row by row.
func readRows(at *url.URL, body io.Reader, visit func(Row) error) error {
	unreadable := func(err error) error {
		return &Error{Class: Lost, Request: "GET " + at.Redacted(), Status: http.StatusOK, Err: err}
	}
	decoder := json.NewDecoder(body)
	for _, want := range []json.Token{json.Delim('{'), "billing_drop", json.Delim('[')} {
		got, err := decoder.Token()
		if err != nil {
			return unreadable(err)
		}
		if got != want {
			return unreadable(fmt.Errorf("%v where %v was expected", got, want))
		}
	}
	for decoder.More() {
		var row Row
		if err := decoder.Decode(&row); err != nil {
			return unreadable(err)
		}
		if err := visit(row); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil { // the end of the list, or a body that was cut off
		return unreadable(errors.Join(errors.New("it ends too early"), err))
	}
	return nil
}
