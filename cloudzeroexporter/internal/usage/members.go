package usage

import "strings"

// members visits the members of the JSON object that the text holds: each key,
// raw, and the text from its value on. It skips a value only if it is asked to
// go on, which is why it is not a library's: of LiteLLM's hidden parameters the
// first hundred of 700 bytes are enough, and gjson, like the others, reads a
// value before it tells of it (290 ns instead of 100). A text that is broken or
// was cut off ends the visit.
func members(text string, visit func(key, value string) bool) {
	rest, found := strings.CutPrefix(trimSpace(text), "{")
	for found {
		rest = trimSpace(rest)
		if rest == "" || rest[0] != '"' {
			return
		}
		end := stringEnd(rest)
		key := rest[1:max(1, end-1)]
		if rest, found = strings.CutPrefix(trimSpace(rest[end:]), ":"); !found {
			return
		}
		rest = trimSpace(rest)
		if !visit(key, rest) {
			return
		}
		rest, found = strings.CutPrefix(trimSpace(rest[valueEnd(rest):]), ",")
	}
}

// valueEnd is where the value ends that the text begins with.
func valueEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return i // of the object around it
			}
		case ',':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
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

func trimSpace(text string) string {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t' || text[0] == '\r') {
		text = text[1:]
	}
	return text
}
