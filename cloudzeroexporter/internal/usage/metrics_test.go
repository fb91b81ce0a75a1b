package usage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/captures"
)

// pointLog keeps what a reader visits, and knows what it is told to know.
type pointLog struct {
	known   map[uint64]bool // by series
	points  []Point
	records []Record
	skipped int
}

func (l *pointLog) Known(p *Point) bool {
	if l.known[p.Series] {
		l.skipped++
		return true
	}
	return false
}

func (l *pointLog) Visit(p *Point, r *Record) {
	l.points, l.records = append(l.points, *p), append(l.records, *r)
}

// readPoints reads one request with a reader for LiteLLM.
func readPoints(md pmetric.Metrics) *pointLog {
	var l pointLog
	NewMetricsReader(Config{Instrumentations: []Instrumentation{LiteLLM}}).Read(md, arrived, &l)
	return &l
}

// costPoint is a request of one cumulative point, whose attributes are given.
func costPoint(start uint64, a attributes) (pmetric.Metrics, pmetric.HistogramDataPoint) {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(metricCost)
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := m.Histogram().DataPoints().AppendEmpty()
	p.SetStartTimestamp(pcommon.Timestamp(start))
	p.SetTimestamp(pcommon.NewTimestampFromTime(called))
	p.SetSum(0.25)
	p.SetCount(2)
	for k, v := range a {
		if err := p.Attributes().PutEmpty(k).FromRaw(v); err != nil {
			panic(err)
		}
	}
	return md, p
}

var measured = attributes{
	"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.framework": "litellm",
	"metadata.user_api_key_team_id": "team-1", "metadata.user_api_key_user_id": "ana", "metadata.user_api_key_hash": "hash",
	"metadata.user_api_key_team_alias": "Team", "metadata.user_api_key_alias": "key", "metadata.user_api_key_org_id": "org",
	"metadata.user_api_key_project_id": "project", "metadata.user_api_key_end_user_id": "customer",
}

func TestAPointHasTheDimensionsOfASpan(t *testing.T) {
	t.Parallel()
	md, _ := costPoint(7, measured)
	l := readPoints(md)
	require.Len(t, l.records, 1)
	assert.Equal(t, Record{
		Outcome: billing.Billed, Hour: billing.HourOf(called),
		Provider: "openai", Model: "gpt-4o", Team: "team-1", TeamAlias: "Team", User: "ana", APIKey: "hash", APIKeyAlias: "key",
		EndUser: "customer", Organization: "org", Project: "project", Attributes: []string{},
	}, l.records[0])
	cost, tokens, requests := l.points[0].Totals()
	assert.Equal(t, "0.25", cost.String())
	assert.Zero(t, tokens)
	assert.EqualValues(t, 2, requests)
}

func TestTheProviderOfAPoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more            attributes
		provider, model string
	}{
		"by its older name":                {nil, "openai", "gpt-4o"},
		"by OpenTelemetry's name":          {attributes{"gen_ai.system": nil, "gen_ai.provider.name": "aws.bedrock"}, "bedrock", "gpt-4o"},
		"with the deployment":              {attributes{"litellm.provider.model": "azure/gpt-4o-eu"}, "azure", "gpt-4o-eu"},
		"in hidden_params":                 {attributes{"gen_ai.system": "", "hidden_params": `{"litellm_model_name": "groq/gpt-4o"}`}, "groq", "gpt-4o"},
		"by the address that was called":   {attributes{"gen_ai.system": "", "hidden_params": `{"api_base": "https://x.openai.azure.com"}`}, "azure", "gpt-4o"},
		"by the model, of OpenAI":          {attributes{"gen_ai.system": nil, "gen_ai.request.model": "text-embedding-3-large"}, "openai", "text-embedding-3-large"},
		"by the model, of Anthropic":       {attributes{"gen_ai.system": nil, "gen_ai.request.model": "claude-haiku-4-5"}, "anthropic", "claude-haiku-4-5"},
		"not at all":                       {attributes{"gen_ai.system": nil, "gen_ai.request.model": "our-own"}, "", "our-own"},
		"hidden_params of another model":   {attributes{"gen_ai.system": "", "hidden_params": `{"litellm_model_name": "groq/other"}`}, "openai", "gpt-4o"},
		"hidden_params that were cut off":  {attributes{"gen_ai.system": "", "hidden_params": `{"litellm_model_name": "gro`}, "openai", "gpt-4o"},
		"the model of the answer, if only": {attributes{"gen_ai.request.model": nil, "gen_ai.response.model": "gpt-4o-2024"}, "openai", "gpt-4o-2024"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md, _ := costPoint(7, measured.with(c.more))
			l := readPoints(md)
			require.Len(t, l.records, 1)
			assert.Equal(t, c.provider, l.records[0].Provider)
			assert.Equal(t, c.model, l.records[0].Model)
		})
	}
}

// TestWhoPaysCannotBeForged: a caller writes what he likes into its metadata.
func TestWhoPaysCannotBeForged(t *testing.T) {
	t.Parallel()
	md, _ := costPoint(7, measured.with(attributes{"metadata.team_id": "victim", "metadata.requester_metadata": `{"user_api_key_team_id": "victim"}`}))
	assert.Equal(t, "team-1", readPoints(md).records[0].Team)
}

func TestTheIdentityOfASeries(t *testing.T) {
	t.Parallel()
	const onTheClock = 1_795_492_009_914_023_285
	const onTheMillisecond = 1_795_492_009_914_000_000
	series := func(start uint64, a attributes, service string) uint64 {
		md, _ := costPoint(start, a)
		md.ResourceMetrics().At(0).Resource().Attributes().PutStr("service.name", service)
		return readPoints(md).points[0].Series
	}
	base := series(onTheClock, measured, "a")
	for range 10 { // the attributes are in another order each time
		assert.Equal(t, base, series(onTheClock, measured, "a"))
	}
	assert.Equal(t, base, series(onTheClock, measured, "b"), "a resource may change")
	assert.NotEqual(t, base, series(onTheClock+1, measured, "a"), "another start is another process")
	assert.NotEqual(t, base, series(onTheClock, measured.with(attributes{"metadata.user_api_key_user_id": "bo"}), "a"))
	assert.NotEqual(t, base, series(onTheClock, measured.with(attributes{"x": ""}), "a"))
	assert.NotEqual(t, series(onTheClock, measured.with(attributes{"x": 1}), "a"), series(onTheClock, measured.with(attributes{"x": "1"}), "a"))
	assert.NotEqual(t,
		series(onTheClock, measured.with(attributes{"x": "1", "y": "2"}), "a"),
		series(onTheClock, measured.with(attributes{"x": "2", "y": "1"}), "a"), "values belong to their keys")
	for _, start := range []uint64{0, onTheMillisecond} {
		assert.NotEqual(t, series(start, measured, "a"), series(start, measured, "b"), "a start that processes can share")
	}
}

func TestADeltaIsItsTimesAndNumbers(t *testing.T) {
	t.Parallel()
	identity := func(change func(pmetric.HistogramDataPoint)) uint64 {
		md, p := costPoint(7, measured)
		md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		change(p)
		r := readPoints(md).records[0]
		assert.NotZero(t, r.Call)
		return r.Call
	}
	same := identity(func(pmetric.HistogramDataPoint) {})
	assert.Equal(t, same, identity(func(pmetric.HistogramDataPoint) {}))
	for name, change := range map[string]func(pmetric.HistogramDataPoint){
		"start": func(p pmetric.HistogramDataPoint) { p.SetStartTimestamp(8) },
		"time":  func(p pmetric.HistogramDataPoint) { p.SetTimestamp(p.Timestamp() + 1) },
		"sum":   func(p pmetric.HistogramDataPoint) { p.SetSum(0.5) },
		"count": func(p pmetric.HistogramDataPoint) { p.SetCount(3) },
		"user":  func(p pmetric.HistogramDataPoint) { p.Attributes().PutStr("metadata.user_api_key_user_id", "bo") },
	} {
		assert.NotEqual(t, same, identity(change), name)
	}
}

func TestAPointWithoutABelievableTimeIsOfItsArrival(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Unix(0, 0), time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), arrived.Add(2 * time.Hour)} {
		md, p := costPoint(7, measured)
		p.SetTimestamp(pcommon.NewTimestampFromTime(at))
		l := readPoints(md)
		assert.Equal(t, billing.HourOf(arrived), l.records[0].Hour)
		assert.True(t, l.records[0].Corrected)
	}
}

func TestOtherInstrumentationsAreReadIfConfigured(t *testing.T) {
	t.Parallel()
	theirs := attributes{"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}
	for _, c := range []struct {
		configured   Instrumentation
		a            attributes
		visited      int
		wantedScopes string
	}{
		{LiteLLM, measured, 1, ""},
		{LiteLLM, theirs, 0, "openlit"},
		{LiteLLM, theirs, 1, "litellm.integrations.opentelemetry"},
		{OpenLIT, measured, 0, ""},
		{OpenLIT, theirs, 1, "openlit"},
	} {
		md, _ := costPoint(7, c.a)
		md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().SetName(c.wantedScopes)
		var l pointLog
		unread := NewMetricsReader(Config{Instrumentations: []Instrumentation{c.configured}}).Read(md, arrived, &l)
		assert.Len(t, l.points, c.visited, "%+v", c)
		assert.Equal(t, 1, c.visited+unread.Ignored)
	}
}

func TestWhatIsKnownIsNotReadAgain(t *testing.T) {
	t.Parallel()
	md, _ := costPoint(7, measured)
	l := readPoints(md)
	again := pointLog{known: map[uint64]bool{l.points[0].Series: true}}
	NewMetricsReader(Config{Instrumentations: []Instrumentation{LiteLLM}}).Read(md, arrived, &again)
	assert.Equal(t, 1, again.skipped)
	assert.Empty(t, again.points)
}

// FuzzReadMetrics feeds the reader what no sender should send.
func FuzzReadMetrics(f *testing.F) {
	marshaler, unmarshaler := pmetric.ProtoMarshaler{}, pmetric.ProtoUnmarshaler{}
	for _, name := range []string{"1.106.2-v2", "1.92.2-request-span"} {
		for _, md := range loadCapture(f, name).Metrics {
			for i, one := range captures.CutMetrics(md) {
				if i%50 == 0 {
					seed, err := marshaler.MarshalMetrics(one)
					require.NoError(f, err)
					f.Add(seed)
				}
			}
		}
	}
	reader := NewMetricsReader(Config{Instrumentations: []Instrumentation{LiteLLM, OpenLIT}, Attributes: []string{"http.route"}})
	f.Fuzz(func(t *testing.T, data []byte) {
		md, err := unmarshaler.UnmarshalMetrics(data)
		if err != nil {
			t.Skip()
		}
		var l, again pointLog
		unread := reader.Read(md, arrived, &l)
		require.Equal(t, md.DataPointCount(), len(l.points)+unread.Ignored+unread.Invalid, "every point has one outcome")
		reader.Read(md, arrived, &again)
		for i, p := range l.points {
			require.Equal(t, p.Series, again.points[i].Series, "a series keeps its identity")
			require.Equal(t, l.records[i].Call, again.records[i].Call, "a delta keeps its identity")
			require.GreaterOrEqual(t, p.Sum, 0.0)
			require.LessOrEqual(t, p.Time, uint64(arrived.Add(maxAhead).UnixNano()))
			if r := l.records[i]; r.Cost.IsZero() {
				r.Outcome = billing.Free // a cumulative point has no cost of its own
				check(t, &r, arrived)
			} else {
				check(t, &r, arrived)
			}
		}
	})
}

// BenchmarkReadMetrics reads real captured points: all of them new, and all of
// them known, as LiteLLM sends them again every few seconds.
func BenchmarkReadMetrics(b *testing.B) {
	for _, name := range []string{"1.106.2-v2", "1.106.2-v1-request-span"} {
		requests := loadCapture(b, name).Metrics
		last := requests[len(requests)-1] // it has every series
		l := readPoints(last)
		known := pointLog{known: make(map[uint64]bool)}
		for _, p := range l.points {
			known.known[p.Series] = true
		}
		reader := NewMetricsReader(Config{Instrumentations: []Instrumentation{LiteLLM}})
		for what, v := range map[string]PointVisitor{"new": nothingKnown{}, "known": &known} {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					reader.Read(last, arrived, v)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(l.points)), "ns/point")
			})
		}
	}
}

type nothingKnown struct{}

func (nothingKnown) Known(*Point) bool     { return false }
func (nothingKnown) Visit(*Point, *Record) {}
