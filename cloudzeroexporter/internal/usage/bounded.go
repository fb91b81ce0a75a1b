package usage

import (
	"strings"
	"unicode/utf8"
)

// MaxNameBytes bounds what a name may hold: nobody's name is longer, and a row
// shows every one of them.
const MaxNameBytes = 256

// Bounded returns a name as it can be kept and shown: valid UTF-8 of at most
// [MaxNameBytes]. Names in a [Record] are as their senders wrote them.
func Bounded(name string) string {
	if len(name) <= MaxNameBytes && utf8.ValidString(name) {
		return name
	}
	return shortened(name)
}

func shortened(s string) string {
	if len(s) > MaxNameBytes {
		s = s[:MaxNameBytes]
		// A character that was cut goes; one that was broken before stays to be replaced.
		for i := 1; i <= utf8.UTFMax && i <= len(s); i++ {
			if b := s[len(s)-i]; utf8.RuneStart(b) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	if utf8.ValidString(s) {
		return s
	}
	return Bounded(strings.ToValidUTF8(s, "�"))
}
