package cbf

import "strings"

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

// appendCZRN appends the CloudZero resource name of the dimensions,
//
//	czrn:litellm:<provider>:cross-region:<team>:llm-usage:<model>|<name>=<value>…
//
// Two different sets of dimensions never share one, because CloudZero applies
// the tags of a resource to all of its rows. What the components before the
// model lose (they know only lower case, digits and dashes) is therefore
// appended to the last one, like the dimensions of split_by.
func appendCZRN(b []byte, d Dimensions) []byte {
	provider, lossy := czrnProvider(d.Provider)
	team := component(d.Team)
	b = append(b, "czrn:"+serviceType+":"...)
	b = append(b, provider...)
	b = append(b, ":"+region+":"...)
	b = append(b, team...)
	b = append(b, ":"+resourceType+":"...)
	if d.Model == "" {
		b = append(b, unknown...)
	} else {
		b = appendEscaped(b, d.Model, modelEscapes)
	}
	if lossy {
		b = appendSuffix(b, "provider", d.Provider)
	}
	if d.Team != "" && (team != d.Team || d.Team == unknown) {
		b = appendSuffix(b, Team, d.Team)
	}
	if d.Model == unknown {
		b = appendSuffix(b, "model", d.Model)
	}
	for _, s := range d.Split {
		b = appendSuffix(b, tagKey(s.Name), s.Value)
	}
	return b
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
	if isComponent(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	run := false
	for _, c := range []byte(strings.ToLower(s)) {
		if isComponentByte(c) {
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

// isComponent says that s is a component as it is.
func isComponent(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isComponentByte(s[i]) {
			return false
		}
	}
	return true
}

func isComponentByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

func appendSuffix(b []byte, name, value string) []byte {
	b = append(append(append(b, '|'), name...), '=')
	return appendEscaped(b, value, valueEscapes)
}

// A colon in a model becomes a bar, so bars of its own, and what could pass for
// a suffix, are escaped.
const (
	modelEscapes = "%|="
	valueEscapes = "%|:"
)

// appendEscaped appends s with its control characters and the escapes as %XX.
func appendEscaped(b []byte, s, escapes string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f || strings.IndexByte(escapes, c) >= 0:
			b = append(b, '%', hex[c>>4], hex[c&15])
		case c == ':':
			b = append(b, '|')
		default:
			b = append(b, c)
		}
	}
	return b
}
