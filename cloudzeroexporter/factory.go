package cloudzeroexporter

import (
	"go.opentelemetry.io/collector/exporter"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// NewFactory returns the factory of the cloudzero exporter.
func NewFactory() exporter.Factory {
	x := newExporters()
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithTraces(x.createTraces, metadata.TracesStability),
		exporter.WithMetrics(x.createMetrics, metadata.MetricsStability),
	)
}
