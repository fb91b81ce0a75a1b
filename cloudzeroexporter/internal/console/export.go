package console

import (
	"errors"
	"net/http"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

// export is POST /cloudzero/export: every hour with unposted changes, the open
// one included, at once.
type export struct {
	exports Exports
	opts    Options
}

// exported is its answer. After an error, Posted is what was posted before it.
type exported struct {
	Message string   `json:"message"`
	Status  string   `json:"status"`
	Detail  *problem `json:"detail,omitempty"`
	shipper.Report
}

func (e *export) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q shipper.Request
	if err := read(r, &q); err != nil {
		fail(w, e.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	report, err := e.exports.Export(r.Context(), q)
	answer := exported{Message: "CloudZero export completed successfully", Status: "success", Report: report}
	status := http.StatusOK
	switch {
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
