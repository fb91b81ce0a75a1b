package usage

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

var (
	called  = time.Date(2026, 11, 24, 3, 14, 15, 0, time.UTC)
	arrived = called.Add(time.Minute)
)

// attributes are a span's, over those of a base.
type attributes map[string]any

func (a attributes) with(more attributes) attributes {
	all := attributes{}
	for _, m := range []attributes{a, more} {
		for k, v := range m {
			if v == nil {
				delete(all, k)
				continue
			}
			all[k] = v
		}
	}
	return all
}

// second is a call in LiteLLM's second dialect, first one in its first.
var (
	second = attributes{
		"litellm.call_id": "c-1", "gen_ai.operation.name": "chat", "gen_ai.request.model": "alias",
		"litellm.provider.model": "openai/gpt-4o", "litellm.model_group": "alias", "litellm.cost.total": 0.002,
		"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50, "litellm.team.id": "team-1",
		"litellm.metadata.user_api_key_user_id": "ana", "litellm.api_key.hash": "hash",
	}
	first1 = attributes{
		"llm.request.type": "acompletion", "hidden_params": `{"response_cost": 0.002, "additional_headers": {"a": "b"}}`,
		"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.cost.total_cost": 0.002,
		"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50, "gen_ai.response.id": "r-1",
		"metadata.user_api_key_team_id": "team-1", "metadata.user_api_key_user_id": "ana", "metadata.user_api_key_hash": "hash",
	}
)

func spans(t testing.TB, all ...attributes) ptrace.Traces {
	t.Helper()
	td := ptrace.NewTraces()
	to := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i, a := range all {
		span := to.AppendEmpty()
		require.NoError(t, span.Attributes().FromRaw(a))
		span.SetTraceID(pcommon.TraceID{1})
		span.SetSpanID(pcommon.SpanID{1, byte(i)})
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(called))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(called.Add(time.Second)))
	}
	return td
}

// records reads td with every instrumentation.
func records(td ptrace.Traces) (all []Record, ignored int) {
	r := NewReader(Config{Instrumentations: []Instrumentation{LiteLLM, GenAI, OpenLLMetry, OpenInference, OpenLIT}})
	ignored = r.Read(td, arrived, func(r *Record) { all = append(all, *r) }, nil)
	return all, ignored
}

// bill is what matters of a record to who pays.
type bill struct {
	outcome         billing.Outcome
	cost            string
	input, output   uint64
	read, write     uint64
	provider, model string
	team, user      string
}

func billOf(r Record) bill {
	return bill{
		r.Outcome, r.Cost.String(), r.Tokens.Input, r.Tokens.Output, r.Tokens.CacheRead, r.Tokens.CacheWrite,
		r.Provider, r.Model, r.Team, r.User,
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	billed := bill{outcome: billing.Billed, cost: "0.002", input: 100, output: 50, provider: "openai", model: "gpt-4o", team: "team-1", user: "ana"}
	but := func(change func(*bill)) bill {
		b := billed
		change(&b)
		return b
	}
	outcome := func(o billing.Outcome) bill { return but(func(b *bill) { b.outcome, b.cost = o, "0" }) }
	foreign := but(func(b *bill) { b.team, b.user = "", "" })
	for name, c := range map[string]struct {
		span   attributes
		failed bool
		want   *bill // nil: ignored
	}{
		"second dialect":                           {span: second, want: &billed},
		"first dialect":                            {span: first1, want: &billed},
		"cost as text":                             {span: second.with(attributes{"litellm.cost.total": " 0.002 "}), want: &billed},
		"cost in hidden_params":                    {span: first1.with(attributes{"gen_ai.cost.total_cost": nil}), want: &billed},
		"cost empty, then in hidden_params":        {span: first1.with(attributes{"gen_ai.cost.total_cost": ""}), want: &billed},
		"cost as text in hidden_params":            {span: first1.with(attributes{"gen_ai.cost.total_cost": nil, "hidden_params": `{"response_cost": "2e-3"}`}), want: &billed},
		"total before parts":                       {span: second.with(attributes{"litellm.cost.input": 5.0, "litellm.cost.output": 5.0, "gen_ai.cost.total_cost": 7.0}), want: &billed},
		"more digits than a femtodollar":           {span: second.with(attributes{"litellm.cost.total": "0.0020000000000000004"}), want: &billed},
		"running totals are no cost":               {span: second.with(attributes{"metadata.user_api_key_spend": 99.0}), want: &billed},
		"provider's prefix in OpenTelemetry's way": {span: second.with(attributes{"litellm.provider.model": nil, "gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "gpt-4o"}), want: ptr(but(func(b *bill) { b.provider = "azure" }))},
		"prompt caching is billed":                 {span: second.with(attributes{"gen_ai.usage.cache_read.input_tokens": 40, "gen_ai.usage.cache_creation.input_tokens": 3}), want: ptr(but(func(b *bill) { b.read, b.write = 40, 3 }))},
		"cache counts in Python's words": {
			span: first1.with(attributes{"metadata.usage_object": "{'prompt_tokens': 100, 'prompt_tokens_details': {'cached_tokens': 12}, 'cache_creation_input_tokens': 7}"}),
			want: ptr(but(func(b *bill) { b.read, b.write = 12, 7 })),
		},
		"old token names":              {span: first1.with(attributes{"gen_ai.usage.input_tokens": nil, "gen_ai.usage.output_tokens": nil, "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 50}), want: &billed},
		"embedding without a provider": {span: first1.with(attributes{"gen_ai.system": "", "hidden_params": `{"litellm_model_name":"openai/gpt-4o"}`}), want: &billed},
		"messages of a GPT":            {span: first1.with(attributes{"gen_ai.system": "", "llm.request.type": "anthropic_messages"}), want: &billed},
		"messages of a GPT on Azure":   {span: first1.with(attributes{"gen_ai.system": "", "llm.request.type": "anthropic_messages", "hidden_params": `{"api_base":"https://us.openai.azure.com/"}`}), want: ptr(but(func(b *bill) { b.provider = "azure" }))},

		"cache hit, second dialect":               {span: second.with(attributes{"litellm.cost.total": 0.0, "litellm.cost.input": 0.001}), want: ptr(outcome(billing.Free))},
		"cache hit, first dialect":                {span: first1.with(attributes{"hidden_params": `{"cache_key":"k","response_cost":0.002}`}), want: ptr(outcome(billing.Free))},
		"cache hit, streamed":                     {span: first1.with(attributes{"hidden_params": `{"response_cost":0.0,"additional_headers":{}}`}), want: ptr(outcome(billing.Free))},
		"cache hit, embedding":                    {span: first1.with(attributes{"gen_ai.response.id": "r-1_cache_hit1795553238.06"}), want: ptr(outcome(billing.Free))},
		"cache hit of a call with a broken price": {span: first1.with(attributes{"hidden_params": `{"cache_key":"k"}`, "gen_ai.cost.total_cost": -1.0}), want: ptr(outcome(billing.Free))},
		"price 0":                   {span: second.with(attributes{"litellm.cost.total": 0.0}), want: ptr(outcome(billing.Free))},
		"price 0 as an integer":     {span: second.with(attributes{"litellm.cost.total": 0}), want: ptr(outcome(billing.Free))},
		"no price":                  {span: second.with(attributes{"litellm.cost.total": nil}), want: ptr(outcome(billing.Unpriced))},
		"empty price":               {span: second.with(attributes{"litellm.cost.total": ""}), want: ptr(outcome(billing.Unpriced))},
		"None for a price":          {span: second.with(attributes{"litellm.cost.total": "None"}), want: ptr(outcome(billing.Unpriced))},
		"null for a price":          {span: first1.with(attributes{"gen_ai.cost.total_cost": nil, "hidden_params": `{"response_cost":null}`}), want: ptr(outcome(billing.Unpriced))},
		"hidden_params cut off":     {span: first1.with(attributes{"gen_ai.cost.total_cost": nil, "hidden_params": `{"response_cost":0.002,"additional_headers":{"x":"`}), want: &billed},
		"hidden_params are no JSON": {span: first1.with(attributes{"gen_ai.cost.total_cost": nil, "hidden_params": `<!>`}), want: ptr(outcome(billing.Unpriced))},
		"failed":                    {span: second.with(attributes{"litellm.cost.total": 0.0}), failed: true, want: ptr(outcome(billing.Failed))},
		"failed without a price":    {span: second.with(attributes{"litellm.cost.total": nil}), failed: true, want: ptr(outcome(billing.Failed))},
		"failed, but charged":       {span: second, failed: true, want: &billed},

		"NaN":             {span: second.with(attributes{"litellm.cost.total": math.NaN()}), want: ptr(outcome(billing.Invalid))},
		"infinite":        {span: second.with(attributes{"litellm.cost.total": math.Inf(1)}), want: ptr(outcome(billing.Invalid))},
		"negative":        {span: second.with(attributes{"litellm.cost.total": -0.002}), want: ptr(outcome(billing.Invalid))},
		"huge":            {span: second.with(attributes{"litellm.cost.total": 1e300}), want: ptr(outcome(billing.Invalid))},
		"beyond belief":   {span: second.with(attributes{"litellm.cost.total": 1_000_001}), want: ptr(outcome(billing.Invalid))},
		"no number":       {span: second.with(attributes{"litellm.cost.total": "much"}), want: ptr(outcome(billing.Invalid))},
		"a bool":          {span: second.with(attributes{"litellm.cost.total": true}), want: ptr(outcome(billing.Invalid))},
		"a list":          {span: second.with(attributes{"litellm.cost.total": []any{0.002}}), want: ptr(outcome(billing.Invalid))},
		"hexadecimal":     {span: second.with(attributes{"litellm.cost.total": "0x1p-2"}), want: ptr(outcome(billing.Invalid))},
		"list in hidden":  {span: first1.with(attributes{"gen_ai.cost.total_cost": nil, "hidden_params": `{"response_cost":[1]}`}), want: ptr(outcome(billing.Invalid))},
		"tokens negative": {span: second.with(attributes{"gen_ai.usage.input_tokens": -5}), want: ptr(but(func(b *bill) { b.input = 0 }))},
		"tokens as text":  {span: second.with(attributes{"gen_ai.usage.input_tokens": "100"}), want: &billed},
		"tokens as float": {span: second.with(attributes{"gen_ai.usage.input_tokens": 100.0}), want: &billed},
		"tokens in parts": {span: second.with(attributes{"gen_ai.usage.input_tokens": 1.5}), want: ptr(but(func(b *bill) { b.input = 0 }))},
		"tokens absurd":   {span: second.with(attributes{"gen_ai.usage.input_tokens": int64(math.MaxInt64)}), want: ptr(but(func(b *bill) { b.input = 0 }))},
		"names are no strings": {
			span: second.with(attributes{"litellm.team.id": 5, "litellm.metadata.user_api_key_user_id": []any{"x"}}),
			want: ptr(but(func(b *bill) { b.team, b.user = "", "" })),
		},

		"nothing":                         {span: attributes{}},
		"a span of the same request":      {span: attributes{"gen_ai.request.model": "gpt-4o", "litellm.team.id": "team-1", "litellm.cost.total": 9.0}},
		"the request itself":              {span: attributes{"litellm.request.route": "/v1/chat/completions", "gen_ai.operation.name": "chat", "litellm.cost.total": 9.0}},
		"a raw request":                   {span: attributes{"llm.openai.model": "gpt-4o"}},
		"a forged tag is no team":         {span: second.with(attributes{"metadata.tags": "team-2"}), want: &billed},
		"OpenTelemetry's conventions":     {span: attributes{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50, "gen_ai.usage.cost": 0.002}, want: &foreign},
		"OpenTelemetry without a price":   {span: attributes{"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50}, want: ptr(func() bill { b := foreign; b.outcome, b.cost = billing.Unpriced, "0"; return b }())},
		"an agent repeats its calls":      {span: attributes{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.cost": 0.002}},
		"OpenLLMetry":                     {span: attributes{"llm.request.type": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 50, "gen_ai.usage.cost": 0.002}, want: &foreign},
		"OpenInference":                   {span: attributes{"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 100, "llm.token_count.completion": 50, "llm.cost.total": 0.002}, want: &foreign},
		"a chain of OpenInference":        {span: attributes{"openinference.span.kind": "CHAIN", "llm.cost.total": 0.002}},
		"a tool in OpenLLMetry's dialect": {span: attributes{"llm.request.type": "tool", "gen_ai.usage.cost": 0.002}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			td := spans(t, c.span)
			if c.failed {
				td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Status().SetCode(ptrace.StatusCodeError)
			}
			got, ignored := records(td)
			if c.want == nil {
				assert.Empty(t, got)
				assert.Equal(t, 1, ignored)
				return
			}
			require.Len(t, got, 1)
			assert.Zero(t, ignored)
			assert.Equal(t, *c.want, billOf(got[0]))
			assert.Equal(t, billing.HourOf(called), got[0].Hour)
		})
	}
}

func ptr(b bill) *bill { return &b }

func TestOnlyWhatIsConfiguredIsRead(t *testing.T) {
	t.Parallel()
	r := NewReader(Config{Instrumentations: []Instrumentation{OpenLLMetry, GenAI, OpenInference}})
	ignored := r.Read(spans(t, second, first1), arrived, func(*Record) { t.Error("LiteLLM's spans were read by other rules") }, nil)
	assert.Equal(t, 2, ignored)
}

func TestTheHourIsThatOfTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start, want time.Time
		corrected   bool
	}{
		"first moment":             {start: called.Truncate(time.Hour), want: called},
		"last moment":              {start: called.Truncate(time.Hour).Add(time.Hour - 1), want: called},
		"a clock ahead":            {start: arrived.Add(time.Hour), want: arrived.Add(time.Hour)},
		"a clock too far ahead":    {start: arrived.Add(time.Hour + 1), want: arrived, corrected: true},
		"a clock that was not set": {start: time.Unix(60, 0), want: arrived, corrected: true},
		"no start":                 {start: time.Unix(0, 0), want: arrived, corrected: true},
		"the end of time":          {start: time.Unix(0, math.MaxInt64), want: arrived, corrected: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			td := spans(t, second)
			td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetStartTimestamp(pcommon.NewTimestampFromTime(c.start))
			got, _ := records(td)
			require.Len(t, got, 1)
			assert.Equal(t, billing.HourOf(c.want), got[0].Hour)
			assert.Equal(t, c.corrected, got[0].Corrected)
		})
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	identity := func(a attributes, change func(ptrace.Span)) Record {
		td := spans(t, a)
		change(td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0))
		got, _ := records(td)
		require.Len(t, got, 1)
		return got[0]
	}
	same := func(ptrace.Span) {}
	otherSpan := func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{9}) }
	later := func(s ptrace.Span) { s.SetStartTimestamp(s.StartTimestamp() + 1000) }

	again := identity(second, same).Call
	assert.Equal(t, identity(second, same).Call, again)
	assert.NotEqual(t, identity(second, same).Call, identity(second, otherSpan).Call)
	assert.Equal(t, identity(first1, same).Call, identity(first1, otherSpan).Call, "two spans of the first dialect can tell of one call")
	assert.NotEqual(t, identity(first1, same).Call, identity(first1, later).Call)
	assert.NotEqual(t, identity(first1, same).Call, identity(first1.with(attributes{"metadata.user_api_key_hash": "other"}), same).Call)

	assert.Zero(t, identity(second, same).Answer, "the second dialect tells of cache hits by itself")
	assert.Equal(t, identity(first1, same).Answer, identity(first1, later).Answer)
	assert.NotEqual(t, identity(first1, same).Answer, identity(first1.with(attributes{"gen_ai.response.id": "r-2"}), same).Answer)
	assert.Zero(t, identity(first1.with(attributes{"gen_ai.response.id": ""}), same).Answer)
	assert.True(t, identity(first1, same).FromProvider)
	assert.False(t, identity(first1.with(attributes{"hidden_params": `{"additional_headers": {}}`}), same).FromProvider)
}

func TestNamesAreValidAndBounded(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                              "plain",
		"broken \xff here":                   "broken � here",
		strings.Repeat("x", 300):             strings.Repeat("x", 256),
		strings.Repeat("x", 255) + "é":       strings.Repeat("x", 255),
		strings.Repeat("x", 254) + "é":       strings.Repeat("x", 254) + "é",
		strings.Repeat("\xff", 300):          "�",
		strings.Repeat("x", 255) + "\xffabc": strings.Repeat("x", 255),
	} {
		got := Bounded(in)
		assert.Equal(t, want, got)
	}
}

func TestAttributesAreReadByName(t *testing.T) {
	t.Parallel()
	r := NewReader(Config{Instrumentations: []Instrumentation{LiteLLM}, Attributes: []string{"cost.center", "n"}})
	var got [][]string
	r.Read(spans(t, second.with(attributes{"cost.center": "cc-1", "n": 7}), second), arrived, func(r *Record) {
		got = append(got, append([]string{}, r.Attributes...))
	}, nil)
	assert.Equal(t, [][]string{{"cc-1", "7"}, {"", ""}}, got)
}
