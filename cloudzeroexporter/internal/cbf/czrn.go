package cbf

import (
	"fmt"
	"strings"
)

const (
	serviceType  = "litellm"
	region       = "cross-region"
	resourceType = "llm-usage"
	unknown      = "unknown"
)

// czrnProviders are the LLM providers that CloudZero's own LiteLLM tools name
// otherwise.
var czrnProviders = map[string]string{
	"azure":     "azure",
	"azure_ai":  "azure",
	"bedrock":   "aws",
	"vertex_ai": "gcp",
	"gemini":    "google",
}

// czrn returns the CloudZero resource name of the dimensions,
//
//	czrn:litellm:<provider>:cross-region:<team>:llm-usage:<model>|<name>=<value>…
//
// Two different sets of dimensions never share one, because CloudZero applies
// the tags of a resource to all of its rows. What the components before the
// model lose (they know only lower case, digits and dashes) is therefore
// appended to the last one, like the dimensions of split_by.
func czrn(d Dimensions) string {
	var b strings.Builder
	provider, lossy := czrnProvider(d.Provider)
	b.WriteString("czrn:" + serviceType + ":" + provider + ":" + region + ":" + component(d.Team) + ":" + resourceType + ":")
	if d.Model == "" {
		b.WriteString(unknown)
	} else {
		writeEscaped(&b, strings.ReplaceAll(escapeModel.Replace(d.Model), ":", "|"))
	}
	if lossy {
		writeSuffix(&b, "provider", d.Provider)
	}
	if d.Team != "" && (component(d.Team) != d.Team || d.Team == unknown) {
		writeSuffix(&b, Team, d.Team)
	}
	if d.Model == unknown {
		writeSuffix(&b, "model", d.Model)
	}
	for _, s := range d.Split {
		writeSuffix(&b, tagKey(s.Name), s.Value)
	}
	return b.String()
}

// czrnProvider returns the provider's component, and whether another provider
// has the same one.
func czrnProvider(name string) (provider string, lossy bool) {
	if provider, ok := czrnProviders[name]; ok {
		return provider, name == "azure_ai"
	}
	provider = component(name)
	switch provider {
	case "azure", "azure-ai", "aws", "gcp", "google", unknown:
		return provider, name != ""
	}
	return provider, strings.ReplaceAll(provider, "-", "_") != name
}

// component makes a CZRN component: lower case, every run of other characters
// than letters, digits and dashes one dash, none at the ends.
func component(s string) string {
	b := make([]byte, 0, len(s))
	run := false
	for _, c := range []byte(strings.ToLower(s)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			b, run = append(b, c), false
		} else if !run {
			b, run = append(b, '-'), true
		}
	}
	if s := strings.Trim(string(b), "-"); s != "" {
		return s
	}
	return unknown
}

var (
	// A colon in a model becomes a bar, so bars of its own, and what could
	// pass for a suffix, are escaped.
	escapeModel = strings.NewReplacer("%", "%25", "|", "%7C", "=", "%3D")
	escapeValue = strings.NewReplacer("%", "%25", "|", "%7C", ":", "%3A")
)

func writeSuffix(b *strings.Builder, name, value string) {
	b.WriteString("|" + name + "=")
	writeEscaped(b, escapeValue.Replace(value))
}

// writeEscaped writes s with its control characters as %XX.
func writeEscaped(b *strings.Builder, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			fmt.Fprintf(b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
}
