package console

import (
	"errors"
	"net/http"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// export is POST /cloudzero/export: every hour with unposted changes, the open
// one included, or the hours of a range, at once.
type export struct {
	exports Exports
	opts    Options
}

// exported is its answer. After an error, Posted is what was posted before it.
type exported struct {
	Message string   `json:"message"`
	Status  string   `json:"status"`
	Detail  *problem `json:"detail,omitempty"`
	Records int      `json:"records_exported"`
	shipper.Report
}

func (e *export) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		selection
		Operation     anycost.Operation `json:"operation"`
		ConfirmMonths []string          `json:"confirm_months"`
		Verify        bool              `json:"verify"`
	}
	err := read(r, &body)
	q := shipper.Request{Operation: body.Operation, ConfirmMonths: body.ConfirmMonths, Verify: body.Verify}
	if err == nil {
		q.Selection, err = body.choose(e.opts.Settings.Timezone)
	}
	if err != nil {
		fail(w, e.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	report, err := e.exports.Export(r.Context(), q)
	answer := exported{Message: "CloudZero export completed successfully", Status: "success", Report: report}
	for _, p := range report.Posted {
		answer.Records += p.Rows
	}
	status := http.StatusOK
	var conflict *shipper.ConflictError
	switch {
	case errors.As(err, &conflict):
		fail(w, e.opts.Logger, http.StatusConflict, err.Error())
		return
	case errors.Is(err, shipper.ErrDryRun):
		fail(w, e.opts.Logger, http.StatusConflict, err.Error())
		return
	case errors.Is(err, shipper.ErrStopped):
		fail(w, e.opts.Logger, http.StatusServiceUnavailable, err.Error())
		return
	case err != nil:
		status = http.StatusBadGateway
		answer.Message, answer.Status = "CloudZero export stopped; what is not posted stays due", "error"
		answer.Detail = &problem{err.Error()}
	case len(report.Held) > 0:
		answer.Message, answer.Status = "CloudZero export completed, but AnyCost refuses the held hours", "partial"
	}
	reply(w, e.opts.Logger, status, answer)
}
