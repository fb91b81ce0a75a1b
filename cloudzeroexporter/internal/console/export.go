package console

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// exported is the answer of POST /cloudzero/export. After an error, Posted is
// what was posted before it.
type exported struct {
	Message string   `json:"message"`
	Status  string   `json:"status"`
	Detail  *problem `json:"detail,omitempty"`
	Records int      `json:"records_exported"`
	shipper.Report
}

// export is POST /cloudzero/export: every hour with unposted changes, the open
// one included, or the hours of a range, at once.
func (c *console) export(w http.ResponseWriter, r *http.Request) {
	e := c.Current()
	q, err := exportRequest(r, e.Settings().Timezone)
	if err != nil {
		c.failWith(w, err)
		return
	}
	report, err := e.Export(r.Context(), q)
	answer := exported{Message: "CloudZero export completed successfully", Status: "success", Report: report}
	for _, p := range report.Posted {
		answer.Records += p.Rows
	}
	status := http.StatusOK
	switch {
	case err != nil && report.Posted == nil, isConflict(err), errors.Is(err, shipper.ErrStopped):
		c.failWith(w, err) // it did not begin
		return
	case err != nil:
		status = http.StatusBadGateway
		answer.Message, answer.Status = "CloudZero export stopped; what is not posted stays due", "error"
		answer.Detail = &problem{Error: err.Error()}
	case len(report.Held) > 0:
		answer.Message, answer.Status = "CloudZero export completed, but AnyCost refuses the held hours", "partial"
	}
	c.reply(w, status, answer)
}

func isConflict(err error) bool {
	var conflict *shipper.ConflictError
	return errors.As(err, &conflict)
}

func exportRequest(r *http.Request, zone *time.Location) (q shipper.Request, err error) {
	var body struct {
		selection
		ConfirmMonths []string `json:"confirm_months"`
		Verify        bool     `json:"verify"`
	}
	if err := read(r, &body); err != nil {
		return q, err
	}
	for _, month := range body.ConfirmMonths {
		if _, err := time.Parse("2006-01", month); err != nil {
			return q, badRequest(fmt.Errorf("confirm_months: %q is not a month such as 2026-11", month))
		}
	}
	q = shipper.Request{Operation: anycost.Operation(body.Operation), ConfirmMonths: body.ConfirmMonths, Verify: body.Verify}
	if q.Selection, err = body.choose(zone); err != nil {
		return q, badRequest(err)
	}
	return q, nil
}

// progressLine is how far an export has come.
type progressLine struct {
	Running bool       `json:"running"`
	Since   *time.Time `json:"since"`
	Ended   *time.Time `json:"ended"`
	// Hours is how many there are to post; 0 while the export waits for a round.
	Hours  int    `json:"hours"`
	Posted int    `json:"hours_posted"`
	Held   int    `json:"hours_held"`
	Rows   int    `json:"rows_posted"`
	Error  string `json:"error,omitempty"`
}

func lineOf(p shipper.Progress) progressLine {
	line := progressLine{
		Running: p.Running(), Since: known(p.Since), Ended: known(p.Ended), Hours: p.Hours, Posted: p.Posted, Held: p.Held, Rows: p.Rows,
	}
	if p.Err != nil {
		line.Error = p.Err.Error()
	}
	return line
}

// progress is GET /cloudzero/export: that of the export that runs, or of the last.
func (*console) progress(e Exports, _ *http.Request) (any, error) { return lineOf(e.Progress()), nil }
