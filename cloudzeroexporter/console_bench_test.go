package cloudzeroexporter

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/metadata"
)

// BenchmarkConsole asks everything of books with a month of 100,000 rows, which
// have left memory. "warm" is how it is but for the first second after a request;
// "cold" is a console that has nothing added up yet.
func BenchmarkConsole(b *testing.B) {
	e, month := monthOfRows(b)
	hour := month.First() + 400
	ranged := fmt.Sprintf(`"start_time_utc":%q,"end_time_utc":%q`, month.First(), (month + 1).First())
	newHandler := func() *console.Console {
		return console.Handler(console.Options{Current: e.exports, Logger: zap.NewNop(), Format: e.format})
	}
	warm := newHandler()
	warm.ServeHTTP(&discarded{header: http.Header{}}, httptest.NewRequest(http.MethodGet, "http://localhost/", http.NoBody))
	warm.Warm(b.Context())
	for _, c := range []struct{ name, method, path, body string }{
		{"page", http.MethodGet, "/", ""},
		{"page_31_days_by_user", http.MethodGet, "/?days=31&group_by=user", ""},
		{"page_with_rows", http.MethodGet, "/?hour=" + hour.String(), ""},
		{"hours", http.MethodGet, "/cloudzero/hours", ""},
		{"rows", http.MethodGet, "/cloudzero/hours/" + hour.String() + "/rows", ""},
		{"rows_csv", http.MethodGet, "/cloudzero/hours/" + hour.String() + "/rows?format=csv", ""},
		{"summary_by_team", http.MethodGet, "/cloudzero/summary", ""},
		{"summary_by_user", http.MethodGet, "/cloudzero/summary?group_by=user", ""},
		{"series_by_hour", http.MethodGet, "/cloudzero/summary?per=hour&group_by=model", ""},
		{"balance", http.MethodGet, "/cloudzero/balance", ""},
		{"settings", http.MethodGet, "/cloudzero/settings", ""},
		{"outcomes", http.MethodGet, "/cloudzero/outcomes", ""},
		{"dry_run_100", http.MethodPost, "/cloudzero/dry-run", `{"limit":100,` + ranged + `}`},
		{"dry_run", http.MethodPost, "/cloudzero/dry-run", `{` + ranged + `}`},
		{"dry_run_10000", http.MethodPost, "/cloudzero/dry-run", `{"limit":10000,` + ranged + `}`},
	} {
		ask := func(b *testing.B, h http.Handler) {
			b.Helper()
			w := &discarded{header: http.Header{}}
			h.ServeHTTP(w, httptest.NewRequest(c.method, "http://localhost"+c.path, strings.NewReader(c.body)))
			require.Equal(b, http.StatusOK, w.status)
			b.SetBytes(w.bytes)
		}
		b.Run(c.name+"/cold", func(b *testing.B) {
			for b.Loop() {
				ask(b, newHandler())
			}
		})
		b.Run(c.name+"/warm", func(b *testing.B) {
			for b.Loop() {
				ask(b, warm)
			}
		})
	}
}

// discarded is an answer that nobody reads.
type discarded struct {
	header http.Header
	status int
	bytes  int64
}

func (d *discarded) Header() http.Header { return d.header }

func (d *discarded) WriteHeader(status int) { d.status = status }

func (d *discarded) Write(p []byte) (int, error) {
	if d.status == 0 {
		d.status = http.StatusOK
	}
	d.bytes += int64(len(p))
	return io.Discard.Write(p)
}

// monthOfRows is an exporter with 100,000 rows in last month: 140 of each hour, of
// 40 teams, 500 users and 6 models. It was started anew, so that its hours are on
// disk only.
func monthOfRows(b *testing.B) (*cloudzeroExporter, billing.Month) {
	b.Helper()
	month := billing.MonthOf(time.Now()) - 1
	cfg := createDefaultConfig().(*Config)
	cfg.DryRun, cfg.Storage, cfg.Retention = true, &diskID, 100*24*time.Hour
	host := &rigHost{extensions: map[component.ID]component.Component{diskID: &diskExtension{disk: newMemory()}}}
	set := exportertest.NewNopSettings(metadata.Type)
	start := func() *cloudzeroExporter {
		e, err := newExporter(set, cfg)
		require.NoError(b, err)
		require.NoError(b, e.start(context.Background(), host))
		return e
	}
	e := start()
	const rowsOfHour, total = 140, 100_000
	n := 0
	for at := month.First(); at < (month+1).First() && n < total; at++ {
		td := ptrace.NewTraces()
		spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i := range min(rowsOfHour, total-n) {
			n++
			addCall(spans, at.Start().Add(time.Duration(i)*time.Second), fmt.Sprintf("team-%d", i%40), fmt.Sprintf("gpt-%d", i%6), fmt.Sprintf("0.%04d", i+1))
			spans.At(i).Attributes().PutStr("litellm.metadata.user_api_key_user_id", fmt.Sprintf("user-%d@example.com", (n*7)%500))
		}
		require.NoError(b, e.pushTraces(context.Background(), td))
	}
	require.NoError(b, e.shutdown(context.Background()))
	e = start()
	b.Cleanup(func() { require.NoError(b, e.shutdown(context.Background())) })
	require.GreaterOrEqual(b, e.books.Balance().Rows, total*9/10)
	return e, month
}
