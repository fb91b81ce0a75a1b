package browsertest

import (
	"encoding/csv"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// spent is a call as LiteLLM's second dialect tells of it.
func spent(at time.Time, id uint16, team, alias, model, cost string) ptrace.Traces {
	td := ptrace.NewTraces()
	span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1, byte(id >> 8), byte(id)})
	span.SetSpanID(pcommon.SpanID{2, byte(id >> 8), byte(id)})
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Second)))
	a := span.Attributes()
	a.PutStr("litellm.call_id", "call")
	a.PutStr("gen_ai.operation.name", "chat")
	a.PutStr("litellm.provider.model", model)
	a.PutStr("litellm.team.id", team)
	a.PutStr("litellm.team.alias", alias)
	if cost != "" {
		a.PutStr("litellm.cost.total", cost)
	}
	a.PutInt("gen_ai.usage.input_tokens", 900)
	a.PutInt("gen_ai.usage.output_tokens", 100)
	return td
}

// TestTheBooksOfARealLiteLLM reads the page, tries the dry run, takes the CSV,
// exports, and sees the hours turn posted.
func TestTheBooksOfARealLiteLLM(t *testing.T) {
	t.Parallel()
	s := newStage(t, "", anycosttest.Config{})
	capture := loadCapture(t, "1.106.2-v2")
	s.send(capture.Requests...)
	b := newTab(t, s.Console)
	b.open("http://" + s.Console + "/?days=31")

	// The totals are LiteLLM's own, to the last digit.
	assert.Equal(t, capture.Total, b.text("#total"))
	assert.Equal(t, []string{capture.Total}, b.column("#balance", "1"))
	assert.Equal(t, []string{"0"}, b.column("#balance", "2"), "posted")
	assert.Equal(t, []string{capture.Total}, b.column("#balance", "3"), "waiting")
	teams := make(map[string]bool)
	for _, line := range capture.Truth {
		teams[line.Team] = true
	}
	assert.Len(t, b.column("#groups", "0"), len(teams))
	assert.True(t, eval[bool](b, `document.querySelector("#chart canvas") !== null && document.querySelector("#chart").clientHeight > 100`), "there is a chart")

	// What the dry run shows is what an export posts.
	b.click(`[data-form="dry-run"] button`)
	b.says("dry-run-said", "successfully")
	assert.Contains(t, b.text("#dry-run-summary"), capture.Total)
	assert.Empty(t, s.anycost.Rows())
	var dry []map[string]string
	require.NoError(t, json.Unmarshal([]byte(b.text("#cbf")), &dry))
	var again []map[string]string
	require.NoError(t, json.Unmarshal([]byte(b.downloaded("#download")), &again))
	assert.Equal(t, dry, again)
	b.click("#copy")
	b.until(`document.getElementById("copied").textContent !== ""`)

	b.click(`[data-form="export"] button`)
	b.says("export-said", "completed successfully")
	b.until(`document.querySelector("#hours .state.posted[class~=posted]") && [...document.querySelectorAll("#hours tbody .state")].every((state) => state.textContent === "posted")`)
	assert.Equal(t, capture.Total, s.anycost.Total())
	assert.Equal(t, []string{capture.Total}, b.column("#balance", "2"), "the balance has turned, too")
	assert.Equal(t, []string{"0"}, b.column("#balance", "3"))
	posted := s.anycost.Rows()
	require.Len(t, dry, len(posted))
	ofID := make(map[string]map[string]string)
	for _, row := range dry {
		ofID[row["time/usage_start"]+row["resource/id"]] = row
	}
	for _, row := range posted {
		assert.Equal(t, ofID[row["time/usage_start"]+row["resource/id"]], map[string]string(row))
	}

	// The CSV has the same rows.
	table := b.downloaded(`#hours a[download]`)
	lines, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, len(posted)+1)
	assert.Equal(t, "time/usage_start", lines[0][0])
}

// TestFirstRun begins without credentials, logs in, and sets the connection up.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	s := newStage(t, consoleToken, anycosttest.Config{}, "CLOUDZERO_API_KEY=", "CLOUDZERO_CONNECTION_ID=")
	capture := loadCapture(t, "1.106.2-v2")
	s.send(capture.Requests...)
	b := newTab(t, s.Console)
	b.open("http://" + s.Console + "/")
	assert.NotContains(t, b.text("body"), capture.Total)
	logIn := func(token string) {
		b.do(chromedp.SendKeys(chromedp.CSS(`[name="token"]`), token+"\r"))
	}
	logIn("wrong")
	b.until(`document.body.innerText.includes("This is not the token.")`)
	logIn(consoleToken)
	b.ready()
	assert.Contains(t, b.text("#working"), "no connection is set up")
	assert.Equal(t, []string{capture.Total}, b.column("#balance", "3"), "it waits")

	setUp := func(key, connection string) {
		b.fill(`[name="api_key"]`, key)
		b.fill(`[name="connection_id"]`, connection)
		b.click(`[data-form="set-up"] button`)
	}
	setUp("not the key", "x")
	b.says("set-up-said", "api_key: holds spaces")
	setUp(apiKey, "mistyped")
	b.says("test-said", "check CLOUDZERO_CONNECTION_ID")
	setUp(apiKey, connectionID)
	b.says("test-said", "knows the key and the connection")
	assert.Contains(t, b.text("#settings"), "brow****show")
	assert.NotContains(t, eval[string](b, `document.documentElement.outerHTML`), apiKey)
	assert.NotContains(t, b.text("#settings"), "mistyped", "what came before belongs to the right connection")

	b.click(`[data-form="export"] button`)
	b.says("export-said", "completed successfully")
	assert.Equal(t, capture.Total, s.anycost.Total())

	// It survives a restart; the session does not.
	s.stop()
	s.start()
	b.open("http://" + s.Console + "/")
	logIn(consoleToken)
	b.until(`document.getElementById("working") !== null`)
	assert.Contains(t, b.text("#settings"), connectionID)
	assert.Contains(t, b.text("#working"), "Posting works.")

	b.click(`form[action="logout"] button`)
	b.until(`document.querySelector('[name="token"]') !== null`)
}

// TestFromAnotherMachine logs in and out over HTTP at a name that is not this
// machine's. Browsers tell less there than they tell a localhost: no Sec-Fetch-Site,
// and an Origin only if the page's policy allows it.
func TestFromAnotherMachine(t *testing.T) {
	t.Parallel()
	s := prepareStage(t, consoleToken, anycosttest.Config{})
	_, port, err := net.SplitHostPort(s.options.Console)
	require.NoError(t, err)
	s.options.Console = net.JoinHostPort("0.0.0.0", port)
	s.start()
	s.send(spent(time.Now().Add(-3*time.Hour), 1, "red", "", "openai/gpt-4o", "0.5"))
	address := net.JoinHostPort("collector.example", port)
	b := newTab(t, address, chromedp.Flag("host-resolver-rules", "MAP collector.example 127.0.0.1"))
	b.open("http://" + address + "/")
	b.do(chromedp.SendKeys(chromedp.CSS(`[name="token"]`), consoleToken+"\r"))
	b.ready()
	b.click(`[data-form="export"] button`)
	b.says("export-said", "completed successfully")
	assert.Equal(t, "0.5", s.anycost.Total())
	b.click(`form[action="logout"] button`)
	b.until(`document.querySelector('[name="token"]') !== null`)
}

// TestWhatNeedsAPerson: a held row, a model without a price, and a name that is
// a script.
func TestWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	const script = `<script>document.title="broken"</script><img src=x onerror="document.title='broken'">`
	s := newStage(t, "", anycosttest.Config{Refuse: "evil"})
	at := time.Now().Add(-3 * time.Hour)
	s.send(
		spent(at, 1, "good", script, "openai/gpt-4o", "0.5"),
		spent(at, 2, "evil", "", "openai/gpt-4o", "0.25"),
		spent(at, 3, "good", script, "ollama/mystery", ""),
	)
	b := newTab(t, s.Console)
	b.open("http://" + s.Console + "/")
	b.click(`[data-form="export"] button`)
	b.says("export-said", "refuses the held hours")
	b.until(`document.querySelector("#held") !== null`)
	assert.Equal(t, "LLM costs to CloudZero", eval[string](b, `document.title`))
	assert.Contains(t, b.text("#groups"), script)
	assert.Zero(t, eval[int](b, `document.querySelectorAll("main script, main img").length`))
	assert.Contains(t, b.text("#held"), "0.25")
	assert.Contains(t, b.text("#held"), "is not welcome")
	assert.Contains(t, b.text("#working"), "refuses some rows")
	assert.Equal(t, []string{"0.25"}, b.column("#balance", "4"), "held")
	assert.Equal(t, []string{"ollama/mystery"}, b.column("#unpriced", "0"))
	assert.Equal(t, []string{"1000"}, b.column("#unpriced", "2"))
	assert.Contains(t, b.text("#outcomes"), "unpriced")

	// Its rows are one click away, and it is posted when AnyCost has changed its mind.
	b.click(`#held tbody a`)
	b.until(`document.querySelector("#rows tfoot") !== null`)
	b.ready()
	assert.Contains(t, b.text("#rows tfoot"), "0.75")
	s.anycost.Allow()
	b.click(`[data-form="export"] button`)
	b.until(`document.querySelector("#hours tbody .state.held") === null`)
	assert.Equal(t, "0.75", s.anycost.Total())
}

// TestAnAdditionThatCloudZeroMayHaveTaken: the page says what to look for, asks
// again before it does something, and shows why it did not.
func TestAnAdditionThatCloudZeroMayHaveTaken(t *testing.T) {
	t.Parallel()
	s := newStage(t, "", anycosttest.Config{Denied: []anycosttest.Scope{anycosttest.Read, anycosttest.List}})
	s.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, DropAfter: true})
	s.send(spent(time.Now().Add(-3*time.Hour), 1, "red", "", "openai/gpt-4o", "0.5")) // before the books began, so it is added
	for range 2 {
		_, _ = s.Export(t.Context()) // the first answer is lost
	}
	b := newTab(t, s.Console)
	b.open("http://" + s.Console + "/")
	assert.Contains(t, b.text(".doubt"), "0.5 USD in 1 row")
	assert.Contains(t, b.text(".doubt"), connectionID)
	assert.False(t, eval[bool](b, `document.querySelector(".doubt button").checkVisibility()`), "not without a second look")
	b.click(`.doubt details:last-of-type summary`)
	b.click(`.doubt details:last-of-type button`)
	b.until(`document.body.innerText.includes("look again then")`)
	b.click(`main a`)
	b.until(`document.querySelector(".doubt") !== null`)
	b.ready()
	b.click(`.doubt summary`)
	b.click(`.doubt button`)
	b.until(`document.querySelector("#attention") !== null && document.querySelector(".doubt") === null`)
	b.ready()
	assert.Equal(t, []string{"0.5"}, b.column("#balance", "2"), "posted")
	assert.Equal(t, []string{"0"}, b.column("#balance", "4"), "held")
	assert.Equal(t, "0.5", s.anycost.Total())
}

// TestWithTheKeyboard goes from the skip link to an export without a mouse.
func TestWithTheKeyboard(t *testing.T) {
	t.Parallel()
	s := newStage(t, "", anycosttest.Config{})
	s.send(spent(time.Now().Add(-3*time.Hour), 1, "red", "", "openai/gpt-4o", "0.5"))
	b := newTab(t, s.Console)
	b.open("http://" + s.Console + "/")
	b.do(chromedp.KeyEvent("\t"))
	assert.Equal(t, "Skip to the state", eval[string](b, `document.activeElement.textContent`))
	unlabelled := eval[[]string](b, `[...document.querySelectorAll("input, select, button, a, table")].filter((e) => !e.closest("[hidden]"))
		.filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel)).map((e) => e.outerHTML)`)
	assert.Empty(t, unlabelled, "a screen reader has no name for these")
	levels := eval[[]string](b, `[...document.querySelectorAll("h1, h2, h3")].map((e) => e.tagName)`)
	assert.Equal(t, "H1", levels[0])
	for range 80 {
		if eval[string](b, `document.activeElement.textContent`) == "Export data now" {
			break
		}
		b.do(chromedp.KeyEvent("\t"))
	}
	b.do(chromedp.KeyEvent("\r"))
	b.says("export-said", "completed successfully")
	assert.Equal(t, "status", eval[string](b, `document.getElementById("export-said").role`))
	assert.Equal(t, "0.5", s.anycost.Total())
}
