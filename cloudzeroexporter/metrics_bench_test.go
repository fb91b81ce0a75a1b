package cloudzeroexporter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// BenchmarkConsumeMetrics sends the last request that a real LiteLLM sent of its
// metrics, which has every series, again and again, as LiteLLM does every few
// seconds: through OTLP decoding, and through the exporter. First all of it is
// new, then nothing is.
func BenchmarkConsumeMetrics(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.106.2-v1-request-span"} {
		requests := loadCapture(b, name).Metrics
		md := requests[len(requests)-1]
		encoded, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
		require.NoError(b, err)
		perPoint := func(b *testing.B) {
			b.Helper()
			points := float64(md.DataPointCount())
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/points, "ns/point")
			b.ReportMetric(float64(len(encoded))/points, "B/point")
		}
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request := pmetricotlp.NewExportRequest()
				require.NoError(b, request.UnmarshalProto(encoded))
			}
			perPoint(b)
		})
		b.Run(name+"/unchanged", func(b *testing.B) {
			cfg := createDefaultConfig().(*Config)
			cfg.DryRun = true
			e, err := NewFactory().CreateMetrics(b.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
			require.NoError(b, err)
			require.NoError(b, e.Start(b.Context(), componenttest.NewNopHost()))
			require.NoError(b, e.ConsumeMetrics(b.Context(), md))
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, e.ConsumeMetrics(b.Context(), md))
			}
			perPoint(b)
			require.NoError(b, e.Shutdown(b.Context()))
		})
	}
}
