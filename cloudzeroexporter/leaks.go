package cloudzeroexporter

import (
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/leaks"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// newDetector returns a detector of leaks over the books.
func (e *cloudzeroExporter) newDetector() *leaks.Detector {
	return leaks.New(leaks.Options{
		Spans:   e.costByHour,
		Foreign: len(e.cfg.Instrumentations) != 1 || e.cfg.Instrumentations[0] != usage.LiteLLM.String(),
		Logger:  e.set.Logger,
	})
}

// costByHour is what the books have, from an hour on.
func (e *cloudzeroExporter) costByHour(from billing.Hour) map[billing.Hour]billing.Amount {
	costs := make(map[billing.Hour]billing.Amount)
	books, _ := e.current()
	for _, h := range books.Hours() {
		if h.Hour >= from {
			costs[h.Hour] = h.Totals.Cost
		}
	}
	return costs
}
