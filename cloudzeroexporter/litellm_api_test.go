package cloudzeroexporter

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/console"
)

// TestLiteLLMsDocumentedRequests are the curl lines of
// https://docs.litellm.ai/docs/observability/cloudzero, and what LiteLLM's own
// page sends, with another host only.
func TestLiteLLMsDocumentedRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path, body string
		want               map[string]string
	}{
		"dry run": {
			http.MethodPost, "/cloudzero/dry-run", "{\n    \"limit\": 10\n  }",
			map[string]string{
				"message": "CloudZero dry run export completed successfully.", "status": "success",
				"dry_run_data.summary.total_cost": "6.375", "dry_run_data.summary.total_tokens": "60", "dry_run_data.summary.total_records": "4",
				"dry_run_data.usage_data.#": "4", "dry_run_data.cbf_data.#": "4", "summary.unique_accounts": "2", "summary.unique_services": "1",
			},
		},
		"dry run as LiteLLM's page asks": {
			http.MethodPost, "/cloudzero/dry-run", `{"limit":10,"operation":"replace_hourly","start_time_utc":null,"end_time_utc":null}`,
			map[string]string{"status": "success"},
		},
		"export": {
			http.MethodPost, "/cloudzero/export", "{\n    \"limit\": 10\n  }",
			map[string]string{"message": "CloudZero export completed successfully", "status": "success", "records_exported": "4"},
		},
		"export of a range": {
			http.MethodPost, "/cloudzero/export",
			"{\n    \"start_time_utc\": \"2026-11-24T00:00:00Z\",\n    \"end_time_utc\": \"2026-11-24T23:59:59Z\",\n    \"operation\": \"replace_hourly\"\n  }",
			map[string]string{"message": "CloudZero export completed successfully", "status": "success", "records_exported": "6"},
		},
		"settings": {
			http.MethodGet, "/cloudzero/settings", "",
			map[string]string{"api_key_masked": "****", "connection_id": testConnection, "timezone": "UTC", "status": "active"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, r *rig) {
				spentThreeHours(t, r)
				h := console.Handler(console.Options{Current: r.last.exports, Logger: r.set.Logger, Format: r.last.format, Token: "sk-1234"})
				request := httptest.NewRequest(c.method, "http://localhost:4000"+c.path, strings.NewReader(c.body))
				request.Header.Set("Content-Type", "application/json")
				request.Header.Set("Authorization", "Bearer sk-1234")
				request.Header.Set("User-Agent", "curl/8.5.0")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request)
				assert.Equal(t, http.StatusOK, w.Code, w.Body.String())
				for path, want := range c.want {
					assert.Equal(t, want, gjson.Get(w.Body.String(), path).String(), path)
				}
			})
		})
	}
}
