package cloudzeroexporter

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// TestTheReadmeHasEverySettingWithItsDefault, and none that there is not.
func TestTheReadmeHasEverySettingWithItsDefault(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(readme), "## Required settings")
	settings, _, found := strings.Cut(after, "## What becomes of a span")
	require.True(t, found)

	code := regexp.MustCompile("`([^`]+)`")
	documented := confmap.New()
	for line := range strings.Lines(settings) {
		cells := strings.Split(line, " | ")
		if len(cells) < 3 || !strings.HasPrefix(line, "| `") {
			continue
		}
		keys, defaults := code.FindAllStringSubmatch(cells[0], -1), code.FindAllStringSubmatch(cells[1], -1)
		if len(keys) != len(defaults) || strings.HasPrefix(keys[0][1], "console::") {
			continue
		}
		for i, key := range keys {
			value, err := confmap.NewRetrievedFromYAML([]byte(defaults[i][1]))
			require.NoError(t, err)
			raw, err := value.AsRaw()
			require.NoError(t, err)
			require.NoError(t, documented.Merge(confmap.NewFromStringMap(nested(strings.Split(key[1], "::"), raw))))
		}
	}
	written := new(Config)
	require.NoError(t, documented.Unmarshal(written), "a setting that there is not")
	got, want := confmap.New(), confmap.New()
	require.NoError(t, got.Marshal(written))
	require.NoError(t, want.Marshal(createDefaultConfig()))
	for _, key := range documented.AllKeys() {
		assert.Equal(t, want.Get(key), got.Get(key), "the default of %s", key)
	}
	for _, key := range append(ownSettings(reflect.TypeFor[Config](), ""), "endpoint", "timeout", "console::endpoint", "console::token") {
		assert.Contains(t, settings, "`"+key+"`")
	}
}

// nested is the value under a path of keys.
func nested(path []string, value any) map[string]any {
	if len(path) > 1 {
		value = nested(path[1:], value)
	}
	return map[string]any{path[0]: value}
}

// ownSettings are the keys of a structure's settings, without those of libraries.
func ownSettings(of reflect.Type, prefix string) (keys []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		key, rest, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case rest == "squash":
		case field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == of.PkgPath():
			keys = append(keys, ownSettings(field.Type, prefix+key+"::")...)
		case field.Type.Kind() != reflect.Struct:
			keys = append(keys, prefix+key)
		}
	}
	return keys
}
