package usage

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// kindPoint marks the identity of a point of a delta series; the others are in
// identity.go.
const kindPoint = 4

// Fingerprints are stored, as part of a series' identity: how they are made
// never changes.

// fingerprint is what one pass over a point's attributes finds.
type fingerprint struct {
	// hash is that of all attributes, in whatever order they are.
	hash uint64
	// liteLLM says that one of them is LiteLLM's own.
	liteLLM   bool
	tokenType string
}

func fingerprintOf(attributes pcommon.Map) (f fingerprint) {
	for key, value := range attributes.All() {
		f.hash += attributeHash(key, value)
		switch {
		case key == "gen_ai.token.type":
			f.tokenType = value.Str()
		case key == "gen_ai.framework" && value.Str() == "litellm",
			key == "hidden_params", strings.HasPrefix(key, "metadata.user_api_key_"):
			f.liteLLM = true
		}
	}
	return f
}

func isLiteLLMScope(name string) bool {
	return name == "litellm" || strings.HasPrefix(name, "litellm.")
}

// attributeHash is such that their sum does not depend on the order.
func attributeHash(key string, value pcommon.Value) uint64 {
	var h uint64
	switch value.Type() {
	case pcommon.ValueTypeStr:
		h = xxhash.Sum64String(value.Str())
	case pcommon.ValueTypeInt:
		h = uint64(value.Int()) //nolint:gosec // any bits do
	case pcommon.ValueTypeDouble:
		h = math.Float64bits(value.Double())
	case pcommon.ValueTypeBool:
		if value.Bool() {
			h = 1
		}
	case pcommon.ValueTypeEmpty:
	default:
		h = xxhash.Sum64String(value.AsString())
	}
	return mix(xxhash.Sum64String(key)+bits.RotateLeft64(h, 32)+uint64(value.Type()), h) //nolint:gosec // a small one
}

// mix folds the product of two hashes, so that every bit of both counts.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

// identify makes the series' identity of its attributes' hash.
//
// The start is part of it: a process that begins again begins other series. It
// also tells workers apart that share all attributes, because LiteLLM takes it
// from the clock, in nanoseconds, at a series' first call. So the resource need
// not be part of it, and may change under way, as when a processor learns the
// name of a pod. Only a start on a full millisecond, or none, can be shared by
// processes, and then the resource is all that tells them apart.
func (w *pointWalk) identify(attributes uint64) uint64 {
	var b [4 * 8]byte
	binary.LittleEndian.PutUint64(b[0:], xxhash.Sum64String(w.name))
	binary.LittleEndian.PutUint64(b[8:], attributes)
	binary.LittleEndian.PutUint64(b[16:], w.point.Start)
	if w.point.Start%uint64(time.Millisecond) == 0 {
		binary.LittleEndian.PutUint64(b[24:], w.resourceFingerprint())
	}
	return xxhash.Sum64(b[:])
}

func (w *pointWalk) resourceFingerprint() uint64 {
	if w.resourceHash == 0 {
		for key, value := range w.resource.All() {
			w.resourceHash += attributeHash(key, value)
		}
		w.resourceHash |= 1 // known, also without attributes
	}
	return w.resourceHash
}

// identity identifies a point of a delta series: only a repetition has the same
// times and the same numbers.
func (p *Point) identity() uint64 {
	var b [1 + 5*8]byte
	b[0] = kindPoint
	for i, v := range [...]uint64{p.Series, p.Start, p.Time, math.Float64bits(p.Sum), p.Count} {
		if i == 2 && p.Corrected {
			v = 0 // that of its arrival differs each time
		}
		binary.LittleEndian.PutUint64(b[1+8*i:], v)
	}
	return hash(b[:])
}
