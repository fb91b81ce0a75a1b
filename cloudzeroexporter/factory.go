package cloudzeroexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// NewFactory returns the factory of the cloudzero exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(
		metadata.Type,
		createDefaultConfig,
		exporter.WithTraces(createTraces, metadata.TracesStability),
	)
}

func createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	e, err := newExporter(set, cfg.(*Config))
	if err != nil {
		return nil, err
	}
	return e.traces(ctx)
}

// traces is the exporter as the collector sees it.
func (e *cloudzeroExporter) traces(ctx context.Context) (exporter.Traces, error) {
	// No queue, no retry, no timeout in front: a batch is acknowledged when the
	// books have it, and until then the sender's own queue is the buffer.
	return exporterhelper.NewTraces(ctx, e.set, e.cfg, e.pushTraces,
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
	)
}
