package ledger

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

func TestValuesCheckThemselves(t *testing.T) {
	t.Parallel()
	good, err := seal(entry{Hours: []storedChange{{Hour: 1, Revision: 2}}})
	require.NoError(t, err)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	newer := bytes.Clone(good)
	newer[0] = version + 1
	for name, c := range map[string]struct {
		value []byte
		want  error
	}{
		"whole": {good, nil}, "empty": {nil, ErrCorrupt}, "cut": {good[:len(good)-1], ErrCorrupt}, "a bit flipped": {flipped, ErrCorrupt},
		"a newer version": {newer, ErrNewer}, "version 0": {make([]byte, 20), ErrCorrupt},
	} {
		var e entry
		assert.ErrorIs(t, unseal(c.value, &e), c.want, name)
	}
	var other []byte
	require.ErrorIs(t, unseal(good, &other), ErrCorrupt, "a value of another kind")
}

func TestAnUnreadableEntryIsPutAsideAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	for i := range uint64(3) {
		_, err := commit(l, spend(noon, i+1, "ana", "1"), spend(noon+1, i+10, string(rune('a'+i)), "1"))
		require.NoError(t, err)
	}
	broken := d.crash()
	broken.values["journal/1"][7] ^= 1
	core, logs := observer.New(zap.ErrorLevel)
	again, err := Open(context.Background(), broken, Options{Logger: zap.New(core)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, again.Close(context.Background())) })
	assert.Equal(t, map[string]string{
		"2026-11-24T12:00:00Z ana": "3", // totals are absolute: a later entry has them
		"2026-11-24T13:00:00Z a":   "1",
		"2026-11-24T13:00:00Z c":   "1",
	}, costs(t, again))
	require.NotZero(t, logs.Len())
	assert.Equal(t, "journal/1", logs.All()[0].ContextMap()["key"])
	assert.Equal(t, 1, broken.keys("aside/"))
	assert.Equal(t, costs(t, again), costs(t, open(t, broken.crash())), "the next start finds the same")
}

func TestBooksOfANewerVersionAreNotTouched(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := open(t, d)
	_, err := commit(l, spend(noon, 1, "ana", "1"))
	require.NoError(t, err)
	require.NoError(t, l.Close(context.Background()))
	newer := d.crash()
	newer.values[headKey][0] = version + 1
	_, err = Open(context.Background(), newer, Options{Logger: zap.NewNop()})
	require.ErrorIs(t, err, ErrNewer)
	require.EqualError(t, err, `open the books: value of "head" in the storage: written by a newer version: format 2, this one reads 1`)
}

// FuzzReplay feeds stored bytes to the reader of the journal: they are read, or
// refused as corrupt, and what was read can be written and read again.
func FuzzReplay(f *testing.F) {
	for _, e := range []entry{
		{},
		{Hours: []storedChange{{Hour: 5, Revision: 1, Rows: []storedRow{{Key: cbor.ByteString("\x01a\x01b\x01c"), Totals: storedTotals{Dollars: 1}}}, Seen: make([]byte, 16)}}},
		{Answers: []storedAnswers{{Heard: 3, Others: make([]byte, 8)}}},
		{Hours: []storedChange{{Hour: 5, Posted: &storedPosting{Revision: 1, Femto: 1 << 63}}}},
	} {
		b, err := encoding.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var e entry
		if err := decoding.Unmarshal(body, &e); err != nil {
			return
		}
		l := &Ledger{hours: make(map[billing.Hour]*hour), answers: newAnswers(), store: store{newDisk()}}
		touched := make(map[*hour]bool)
		if err := l.replay(context.Background(), &e, touched); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		before := make(map[billing.Hour]int)
		for h := range touched {
			before[h.Hour] = len(h.rows)
		}
		if err := l.replay(context.Background(), &e, touched); err != nil {
			t.Fatalf("an entry that was read cannot be read twice: %v", err)
		}
		for at, n := range before {
			if got := len(l.hours[at].rows); got != n {
				t.Fatalf("reading twice makes %d rows of %d", got, n)
			}
		}
	})
}

// TestRowsAreWrittenAsTheyAreRead: what is encoded by hand is what the library
// would have made of it.
func TestRowsAreWrittenAsTheyAreRead(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxUint64}))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 300, 300)
		written, read := writtenChange{Hour: 5, Revision: 7}, storedChange{Hour: 5, Revision: 7, Rows: []storedRow{}}
		var rows []*row
		for range rapid.IntRange(0, 30).Draw(t, "rows") {
			cost, err := billing.AmountOfParts(number.Draw(t, "dollars"), number.Draw(t, "femto")%1_000_000_000_000_000)
			require.NoError(t, err)
			n := func(what string) uint64 { return number.Draw(t, what) }
			r := &row{
				key: cbf.Key(text.Draw(t, "key")), labels: cbf.Labels{TeamAlias: text.Draw(t, "team"), APIKeyAlias: text.Draw(t, "alias")},
				totals: cbf.Totals{
					Cost:     cost,
					Tokens:   billing.Tokens{Input: n("input"), Output: n("output"), CacheRead: n("read"), CacheWrite: n("write")},
					Requests: n("requests"), Unpriced: n("unpriced"), UnpricedTokens: n("unpriced tokens"),
				},
			}
			rows = append(rows, r)
			read.Rows = append(read.Rows, r.stored())
		}
		written.Rows = appendRows(nil, rows)
		got, err := seal(writtenEntry{Hours: []writtenChange{written}})
		require.NoError(t, err)
		want, err := seal(entry{Hours: []storedChange{read}})
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestIdentitiesAreReadInPlace(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 8, 24, 255, 256, 65535, 65536} {
		want := storedAnswers{Heard: 7, FromProvider: bytes.Repeat([]byte{1}, size), Displaced: packed{2}}
		sealed, err := seal(&want)
		require.NoError(t, err)
		var got storedAnswers
		require.NoError(t, unseal(sealed, &got))
		assert.Equal(t, want, got)
	}
	for _, other := range []any{1, "12345678", []int{1}, cbor.RawMessage{0x5f, 0x41, 1, 0xff}} {
		sealed, err := seal(other)
		require.NoError(t, err)
		var got packed
		require.ErrorIs(t, unseal(sealed, &got), ErrCorrupt)
	}
}
