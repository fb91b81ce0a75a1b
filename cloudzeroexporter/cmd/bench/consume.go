package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter"
)

// newExporter starts the exporter in this process, as a dry run: with its books
// in the folder, or in memory if that is "". Stop ends all of it.
func newExporter(ctx context.Context, folder string) (e exporter.Traces, stop func(context.Context) error, err error) {
	factory := cloudzeroexporter.NewFactory()
	cfg, ok := factory.CreateDefaultConfig().(*cloudzeroexporter.Config)
	if !ok {
		return nil, nil, errors.New("cloudzero has another configuration than its own")
	}
	cfg.DryRun = true
	h := &host{}
	stopStorage := func(context.Context) error { return nil }
	if folder != "" {
		ext, withStorage, err := newStorage(ctx, folder)
		if err != nil {
			return nil, nil, err
		}
		h, stopStorage, cfg.Storage = withStorage, ext.Shutdown, &storageID
	}
	set := exportertest.NewNopSettings(factory.Type())
	set.ID = component.NewID(factory.Type())
	if e, err = factory.CreateTraces(ctx, set, cfg); err == nil {
		err = e.Start(ctx, h)
	}
	if err != nil {
		return nil, nil, errors.Join(err, stopStorage(ctx))
	}
	return e, func(ctx context.Context) error { return errors.Join(e.Shutdown(ctx), stopStorage(ctx)) }, nil
}
