package usage

import "strings"

// members goes through the members of a JSON object. It skips a value only when
// it is asked for the next member, which is why it is not a library's: of
// LiteLLM's hidden parameters the first hundred of 700 bytes are enough, and
// gjson, like the others, reads a value before it tells of it (300 ns instead of
// 120). A text that is broken or was cut off ends it.
type members struct {
	rest   string // from the last member's value on
	inside bool
}

func membersOf(text string) members { return members{rest: text} }

// next returns the next member: its key, raw, and the text from its value on.
func (m *members) next() (key, value string, found bool) {
	before := byte('{')
	if m.inside {
		before, m.rest = ',', m.rest[valueEnd(m.rest):]
	}
	m.inside = true
	rest, found := cutByte(m.rest, before)
	if !found || rest == "" || rest[0] != '"' {
		return "", "", false
	}
	end := stringEnd(rest)
	key = rest[1:max(1, end-1)]
	m.rest, found = cutByte(rest[end:], ':')
	return key, m.rest, found
}

// valueEnd is where the value ends that the text begins with.
func valueEnd(text string) int {
	switch {
	case text == "":
		return 0
	case text[0] == '"':
		return stringEnd(text)
	case text[0] == '{' || text[0] == '[':
		return nestedEnd(text)
	}
	for i := range len(text) {
		if c := text[i]; c == ',' || c == '}' || c == ']' {
			return i
		}
	}
	return len(text)
}

// nestedEnd is where the object or array ends that the text begins with.
func nestedEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// stringEnd is where the string ends that the text begins with, behind its
// closing quote.
func stringEnd(text string) int {
	for i := 1; ; i++ {
		quote := strings.IndexByte(text[i:], '"')
		if quote < 0 {
			return len(text)
		}
		i += quote
		escapes := 0
		for text[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// cutByte cuts off the character c, and spaces around it.
func cutByte(text string, c byte) (rest string, found bool) {
	text = trimSpace(text)
	if text == "" || text[0] != c {
		return "", false
	}
	return trimSpace(text[1:]), true
}

func trimSpace(text string) string {
	for text != "" && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t' || text[0] == '\r') {
		text = text[1:]
	}
	return text
}
