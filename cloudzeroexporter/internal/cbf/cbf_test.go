package cbf

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

func layout(t require.TestingT, splitBy ...string) Layout {
	l, err := NewLayout(splitBy)
	require.NoError(t, err)
	return l
}

func rowOf(t require.TestingT, l Layout, r *usage.Record) Row {
	d, err := KeyOf(l.AppendKey(nil, r)).Dimensions()
	require.NoError(t, err)
	return Row{Dimensions: d, Labels: l.Labels(r), Totals: Totals{Cost: r.Cost, Tokens: r.Tokens, Requests: 1}}
}

func amount(t require.TestingT, s string) billing.Amount {
	a, err := billing.ParseAmount(s)
	require.NoError(t, err)
	return a
}

func TestSeedRow(t *testing.T) {
	t.Parallel()
	record := usage.Record{
		Provider: "openai", Model: "gpt-4o", Team: "team-123", User: "not-shown",
		Cost: amount(t, "0.002"), Tokens: billing.Tokens{Input: 100, Output: 50},
	}
	hour := billing.HourOf(time.Date(2024, 1, 15, 14, 30, 0, 0, time.UTC))
	got := Format{TokenTags: true}.AppendJSON(nil, hour, rowOf(t, layout(t, Team), &record))
	assert.JSONEq(t, `{
		"time/usage_start": "2024-01-15T14:00:00Z",
		"cost/cost": "0.002",
		"usage/amount": "150",
		"usage/units": "tokens",
		"resource/id": "czrn:litellm:openai:cross-region:team-123:llm-usage:gpt-4o",
		"resource/service": "litellm",
		"resource/account": "team-123",
		"resource/region": "cross-region",
		"resource/usage_family": "llm-usage",
		"lineitem/type": "Usage",
		"resource/tag:provider": "openai",
		"resource/tag:model": "gpt-4o",
		"resource/tag:team_id": "team-123",
		"resource/tag:prompt_tokens": "100",
		"resource/tag:completion_tokens": "50"
	}`, string(got))
}

func TestEveryDimensionHasItsTag(t *testing.T) {
	t.Parallel()
	record := usage.Record{
		Provider: "azure", Model: "gpt-4o", ModelGroup: "smart", Team: "t1", TeamAlias: "Team 1", User: "u-42",
		APIKey: "5f2c", APIKeyAlias: "batch key", EndUser: "e1", Organization: "o1", Project: "p1",
		Attributes: []string{"eu-1"},
	}
	l := layout(t, Team, User, APIKey, EndUser, Organization, Project, ModelGroup, "deployment zone")
	columns := maps.Collect(Format{}.Columns(0, rowOf(t, l, &record)))
	for tag, want := range map[string]string{
		"provider": "azure", "model": "gpt-4o", "model_group": "smart", "team_id": "t1", "team_alias": "Team 1",
		"user_id": "u-42", "api_key_alias": "batch key", "end_user_id": "e1", "organization_id": "o1",
		"project_id": "p1", "deployment_zone": "eu-1",
	} {
		assert.Equal(t, want, columns["resource/tag:"+tag], tag)
	}
	assert.Equal(t, "czrn:litellm:azure:cross-region:t1:llm-usage:gpt-4o|user=u-42|api_key=5f2c|end_user=e1"+
		"|organization=o1|project=p1|model_group=smart|deployment_zone=eu-1", columns["resource/id"])
	assert.Equal(t, "requests", columns["usage/units"])
	assert.Equal(t, "1", columns["usage/amount"])
	assert.NotContains(t, columns, "resource/tag:prompt_tokens")
}

func TestLabelsOfDimensionsThatDoNotSplitAreNotShown(t *testing.T) {
	t.Parallel()
	record := usage.Record{APIKey: "5f2c", APIKeyAlias: "batch key", User: "u"}
	columns := maps.Collect(Format{}.Columns(0, rowOf(t, layout(t), &record)))
	assert.NotContains(t, columns, "resource/tag:api_key_alias")
	assert.NotContains(t, columns, "resource/tag:user_id")
	assert.Equal(t, "unknown", columns["resource/account"])
	assert.Equal(t, "czrn:litellm:unknown:cross-region:unknown:llm-usage:unknown", columns["resource/id"])
}

func TestCZRN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    Dimensions
		want string
	}{
		{Dimensions{Provider: "bedrock", Model: "anthropic.claude-v1:0", Team: "ml"}, "aws:cross-region:ml:llm-usage:anthropic.claude-v1|0"},
		{Dimensions{Provider: "vertex_ai", Model: "gemini-2.5"}, "gcp:cross-region:unknown:llm-usage:gemini-2.5"},
		{Dimensions{Provider: "gemini", Model: "gemini-2.5"}, "google:cross-region:unknown:llm-usage:gemini-2.5"},
		{Dimensions{Provider: "azure", Model: "m"}, "azure:cross-region:unknown:llm-usage:m"},
		{Dimensions{Provider: "azure_ai", Model: "m"}, "azure:cross-region:unknown:llm-usage:m|provider=azure_ai"},
		{Dimensions{Provider: "together_ai", Model: "meta-llama/Llama-3"}, "together-ai:cross-region:unknown:llm-usage:meta-llama/Llama-3"},
		{Dimensions{Provider: "OpenAI", Model: "m"}, "openai:cross-region:unknown:llm-usage:m|provider=OpenAI"},
		{Dimensions{Provider: "openai", Model: "m", Team: "team-ml ops"}, "openai:cross-region:team-ml-ops:llm-usage:m|team=team-ml ops"},
		{Dimensions{Provider: "openai", Model: "m", Team: "Éva"}, "openai:cross-region:va:llm-usage:m|team=Éva"},
		{Dimensions{Provider: "openai", Model: "m", Team: "unknown"}, "openai:cross-region:unknown:llm-usage:m|team=unknown"},
		{Dimensions{Provider: "openai", Model: "a|b=c%d"}, "openai:cross-region:unknown:llm-usage:a%7Cb%3Dc%25d"},
		{Dimensions{Provider: "openai", Model: "m", Split: []Dimension{{User, "a|b:c%\n"}}}, "openai:cross-region:unknown:llm-usage:m|user=a%7Cb%3Ac%25%0A"},
	} {
		assert.Equal(t, "czrn:litellm:"+c.want, Row{Dimensions: c.d}.ResourceID())
	}
}

// pattern is the one of CloudZero's own tools (ll2cz) and of LiteLLM.
var pattern = regexp.MustCompile(`^czrn:([a-z0-9-]+):([a-zA-Z0-9-]+):([a-z0-9-]+):([a-z0-9-]+):([a-z0-9-]+):(.+)$`)

func TestDifferentDimensionsNeverShareAResource(t *testing.T) {
	t.Parallel()
	word := rapid.OneOf(
		rapid.SampledFrom([]string{"", "unknown", "azure", "azure_ai", "azure-ai", "aws", "bedrock", "gpt:4|user=u", "gpt", "Ünï", "a b", "a-b", "A-B", "%7C", "\n"}),
		rapid.StringOfN(rapid.SampledFrom([]rune("aA-_:|=% \n")), 0, 6, -1),
	)
	rapid.Check(t, func(t *rapid.T) {
		draw := func() Dimensions {
			d := Dimensions{Provider: word.Draw(t, "provider"), Model: word.Draw(t, "model"), Team: word.Draw(t, "team")}
			for _, name := range []string{User, Project} {
				if v := word.Draw(t, name); v != "" {
					d.Split = append(d.Split, Dimension{name, v})
				}
			}
			return d
		}
		a, b := draw(), draw()
		require.Regexp(t, pattern, Row{Dimensions: a}.ResourceID())
		if fmt.Sprintf("%q", a) != fmt.Sprintf("%q", b) {
			require.NotEqual(t, Row{Dimensions: a}.ResourceID(), Row{Dimensions: b}.ResourceID(), "%q and %q", a, b)
		}
	})
}

func TestKeyRoundTrips(t *testing.T) {
	t.Parallel()
	l := layout(t, User, Project)
	rapid.Check(t, func(t *rapid.T) {
		r := usage.Record{
			Provider: rapid.String().Draw(t, "provider"), Model: rapid.StringN(0, 300, -1).Draw(t, "model"),
			Team: rapid.String().Draw(t, "team"), User: rapid.String().Draw(t, "user"), Project: rapid.String().Draw(t, "project"),
		}
		d, err := KeyOf(l.AppendKey(nil, &r)).Dimensions()
		require.NoError(t, err)
		require.Equal(t, []string{r.Provider, r.Model, r.Team, r.User, r.Project},
			[]string{d.Provider, d.Model, d.Team, d.Value(User), d.Value(Project)})
	})
}

func FuzzKey(f *testing.F) {
	f.Add("\x01a\x01b\x01c")
	f.Add("\x01a\x01b\x01c\x04user\x01u")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Key(s).Dimensions()
		if err != nil {
			require.ErrorIs(t, err, ErrKey)
			return
		}
		b := appendString(appendString(appendString(nil, d.Provider), d.Model), d.Team)
		for _, split := range d.Split {
			b = appendString(appendString(b, split.Name), split.Value)
		}
		again, err := Key(b).Dimensions()
		require.NoError(t, err)
		require.Equal(t, d, again)
	})
}

func TestRowsAreStringsOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := usage.Record{
			Provider: rapid.String().Draw(t, "provider"), Model: rapid.String().Draw(t, "model"),
			Team: rapid.String().Draw(t, "team"), TeamAlias: rapid.String().Draw(t, "alias"),
			Tokens: billing.Tokens{Input: rapid.Uint64Range(0, billing.MaxTokens).Draw(t, "input")},
		}
		row := rowOf(t, layout(t, User), &r)
		want := maps.Collect(Format{TokenTags: true}.Columns(490000, row))
		var got map[string]string
		require.NoError(t, json.Unmarshal(Format{TokenTags: true}.AppendJSON(nil, 490000, row), &got))
		require.Equal(t, want, got)
		for column, value := range got {
			require.NotEmpty(t, value, column)
		}
	})
}

func TestNewLayoutRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ names, want string }{
		{"user,user", `"user" is named twice`},
		{"team,,user", "a dimension without a name"},
		{"model", `"model" would make a second tag "model" in every row`},
		{"user_id", `"user_id" would make a second tag "user_id" in every row`},
		{"a b,a:b", `"a:b" would make a second tag "a_b" in every row`},
		{"prompt_tokens", `"prompt_tokens" would make a second tag "prompt_tokens" in every row`},
	} {
		_, err := NewLayout(strings.Split(c.names, ","))
		assert.EqualError(t, err, c.want)
	}
	l := layout(t, "team", "user", "x.y")
	assert.Equal(t, []string{"x.y"}, l.Attributes())
}

// TestNamesInAKeyAreBounded: whatever a sender calls a team, its row can be
// kept and shown, and two names are one row only if they are shown as one.
func TestNamesInAKeyAreBounded(t *testing.T) {
	t.Parallel()
	name := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "a\xff", "\xc3", strings.Repeat("x", 127), strings.Repeat("x", 128), strings.Repeat("x", 191), strings.Repeat("x", 192), strings.Repeat("ä", 200)}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(b []byte) string { return string(b) }),
	)
	l := layout(t, User, "x.y")
	rapid.Check(t, func(t *rapid.T) {
		r := usage.Record{
			Provider: name.Draw(t, "provider"), Model: name.Draw(t, "model"), Team: name.Draw(t, "team"),
			User: name.Draw(t, "user"), Attributes: []string{name.Draw(t, "x.y")},
		}
		d, err := KeyOf(l.AppendKey([]byte("before"), &r)[len("before"):]).Dimensions()
		require.NoError(t, err)
		assert.Equal(t, usage.Bounded(r.Provider), d.Provider)
		assert.Equal(t, usage.Bounded(r.Model), d.Model)
		assert.Equal(t, usage.Bounded(r.Team), d.Team)
		assert.Equal(t, usage.Bounded(r.User), d.Value(User))
		assert.Equal(t, usage.Bounded(r.Attributes[0]), d.Value("x.y"))
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	record := usage.Record{
		Provider: "openai", Model: "gpt-4o-mini-2024-07-18", Team: "0b7e2c0e-8a53-4b1f-9f39-0a4b6f8d3c11", TeamAlias: "Search",
		User: "ana@example.com", Cost: amount(b, "12.000056805"), Tokens: billing.Tokens{Input: 123456, Output: 7890},
	}
	row := rowOf(b, layout(b, Team, User), &record)
	hour := billing.HourOf(time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC))
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = Format{TokenTags: true}.AppendJSON(body[:0], hour, row)
	}
	b.SetBytes(int64(len(body)))
}
