package ledger

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
)

// The types of this file are what is on disk, as CBOR arrays: another field, or
// another meaning, is another version. docs/format.md explains them.

// entry is one value of the journal: what one commit changed.
type entry struct {
	_       struct{} `cbor:",toarray"`
	Hours   []storedChange
	Answers []storedAnswers
	Series  []byte // of cumulative series that changed, packed
}

// storedChange is what a commit changed in one hour. Its totals are absolute, so
// that reading it twice is harmless.
type storedChange struct {
	_        struct{} `cbor:",toarray"`
	Hour     int64
	Revision uint64
	Rows     []storedRow
	Seen     []byte
	Posted   *storedPosting
}

// storedRow is a row as it was at that time.
type storedRow struct {
	_                      struct{} `cbor:",toarray"`
	Key                    cbor.ByteString
	TeamAlias, APIKeyAlias string
	Totals                 storedTotals
}

type storedTotals struct {
	_                                    struct{} `cbor:",toarray"`
	Dollars, Femto                       uint64
	Input, Output, CacheRead, CacheWrite uint64
	Requests                             uint64
	Unpriced, UnpricedTokens             uint64
}

type storedPosting struct {
	_              struct{} `cbor:",toarray"`
	Revision       uint64
	At             int64
	Rows, Bytes    int
	Dollars, Femto uint64
	Held, Folded   int
	Doubt          int64
	Origin         uint8
	BaseRows       int
	BaseBytes      int
}

// storedAddition is what is known of the additions to an hour.
type storedAddition struct {
	_           struct{} `cbor:",toarray"`
	Done, Asked storedAddedRows
	Before      *storedHolding
}

type storedAddedRows struct {
	_           struct{}                `cbor:",toarray"`
	Totals      map[string]storedTotals // by resource id
	Rows, Bytes int
}

type storedHolding struct {
	_              struct{} `cbor:",toarray"`
	Rows           int
	Dollars, Femto uint64
}

// storedAnswers are answers that were heard in one hour.
type storedAnswers struct {
	_                               struct{} `cbor:",toarray"`
	Heard                           int64
	FromProvider, Others, Displaced packed
}

// storedSummary is an hour's summary, in the head.
type storedSummary struct {
	_          struct{} `cbor:",toarray"`
	Hour       int64
	Revision   uint64
	Rows       int
	Totals     storedTotals
	Posted     storedPosting
	SeenChunks int
	SeenMoved  int // of these chunks, the first ones; the archive has them
	Slot       int // of the archive
}

// storedHour is the checkpoint of an hour.
type storedHour struct {
	_    struct{} `cbor:",toarray"`
	Rows []storedRow
}

// head is the root of the books: what else there is to read.
type head struct {
	_            struct{} `cbor:",toarray"`
	Begun        int64    // when these books began, in seconds since 1970
	Journal      uint64   // number of the first entry that the checkpoints do not contain
	Hours        []storedSummary
	AnswerChunks map[int64]int // by hour of arrival
	Tombs        []int64
	Gone         map[int64]storedGone // by month
	Rejected     storedTotals         // of calls that came too late
	// Answers and Displaced are how many there are in the chunks, so that a start
	// makes room for them once.
	Answers, Displaced int
}

// storedGone is what is left of a month's hours that were let go.
type storedGone struct {
	_              struct{} `cbor:",toarray"`
	Totals         storedTotals
	Dollars, Femto uint64 // what AnyCost holds of them
	Rows, Bytes    int
}

func (r *row) stored() storedRow {
	return storedRow{
		Key: cbor.ByteString(r.key), TeamAlias: r.labels.TeamAlias, APIKeyAlias: r.labels.APIKeyAlias, Totals: storeTotals(r.totals),
	}
}

func storeTotals(t cbf.Totals) storedTotals {
	s := storedTotals{
		Input: t.Tokens.Input, Output: t.Tokens.Output, CacheRead: t.Tokens.CacheRead, CacheWrite: t.Tokens.CacheWrite,
		Requests: t.Requests, Unpriced: t.Unpriced, UnpricedTokens: t.UnpricedTokens,
	}
	s.Dollars, s.Femto = t.Cost.Parts()
	return s
}

func (s *storedTotals) totals() (cbf.Totals, error) {
	cost, err := billing.AmountOfParts(s.Dollars, s.Femto)
	if err != nil {
		return cbf.Totals{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	tokens := billing.Tokens{Input: s.Input, Output: s.Output, CacheRead: s.CacheRead, CacheWrite: s.CacheWrite}
	return cbf.Totals{
		Cost: cost, Tokens: tokens, Requests: s.Requests, Unpriced: s.Unpriced, UnpricedTokens: s.UnpricedTokens,
	}, nil
}

func storePosting(p Posting) storedPosting {
	s := storedPosting{
		Revision: p.Revision, At: p.At, Rows: p.Rows, Bytes: p.Bytes, Held: p.Held, Folded: p.Folded, Doubt: p.Doubt,
		Origin: uint8(p.Origin), BaseRows: p.BaseRows, BaseBytes: p.BaseBytes,
	}
	s.Dollars, s.Femto = p.Cost.Parts()
	return s
}

func (s *storedPosting) posting() (Posting, error) {
	cost, err := billing.AmountOfParts(s.Dollars, s.Femto)
	if err != nil {
		return Posting{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return Posting{
		Revision: s.Revision, At: s.At, Rows: s.Rows, Bytes: s.Bytes, Cost: cost, Held: s.Held, Folded: s.Folded, Doubt: s.Doubt,
		Origin: Origin(s.Origin), BaseRows: s.BaseRows, BaseBytes: s.BaseBytes,
	}, nil
}

func storeSummary(s *summary) storedSummary {
	return storedSummary{
		Hour: int64(s.Hour), Revision: s.Revision, Rows: s.Rows, Totals: storeTotals(s.Totals),
		Posted: storePosting(s.Posted), SeenChunks: s.SeenChunks, SeenMoved: s.SeenMoved, Slot: s.Slot,
	}
}

func (s *storedSummary) summary() (summary, error) {
	totals, err := s.Totals.totals()
	if err != nil {
		return summary{}, err
	}
	posted, err := s.Posted.posting()
	if err != nil {
		return summary{}, err
	}
	return summary{
		Hour: billing.Hour(s.Hour), Revision: s.Revision, Rows: s.Rows, Totals: totals,
		Posted: posted, SeenChunks: s.SeenChunks, SeenMoved: s.SeenMoved, Slot: s.Slot,
	}, nil
}

func storeAddition(a Addition) storedAddition {
	s := storedAddition{Done: storeAddedRows(a.Done), Asked: storeAddedRows(a.Asked)}
	if a.Before != nil {
		s.Before = &storedHolding{Rows: a.Before.Rows}
		s.Before.Dollars, s.Before.Femto = a.Before.Cost.Parts()
	}
	return s
}

func (s *storedAddition) addition() (a Addition, err error) {
	if a.Done, err = s.Done.added(); err != nil {
		return Addition{}, err
	}
	if a.Asked, err = s.Asked.added(); err != nil || s.Before == nil {
		return a, err
	}
	cost, err := billing.AmountOfParts(s.Before.Dollars, s.Before.Femto)
	if err != nil {
		return Addition{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	a.Before = &Holding{Rows: s.Before.Rows, Cost: cost}
	return a, nil
}

func storeAddedRows(r AddedRows) storedAddedRows {
	s := storedAddedRows{Totals: make(map[string]storedTotals, len(r.Totals)), Rows: r.Rows, Bytes: r.Bytes}
	for id, t := range r.Totals {
		s.Totals[id] = storeTotals(t)
	}
	return s
}

func (s *storedAddedRows) added() (AddedRows, error) {
	r := AddedRows{Totals: make(map[string]cbf.Totals, len(s.Totals)), Rows: s.Rows, Bytes: s.Bytes}
	for id, stored := range s.Totals {
		t, err := stored.totals()
		if err != nil {
			return AddedRows{}, err
		}
		r.Totals[id] = t
	}
	return r, nil
}

// restore takes over a stored row, new or known.
func (h *hour) restore(s *storedRow) error {
	totals, err := s.Totals.totals()
	if err != nil {
		return err
	}
	r, ok := h.rows[string(s.Key)]
	if !ok {
		if _, err := cbf.Key(s.Key).Dimensions(); err != nil {
			return fmt.Errorf("%w: a row of hour %s: %w", ErrCorrupt, h.Hour, err)
		}
		r = h.open(cbf.Key(s.Key))
	}
	r.labels = cbf.Labels{TeamAlias: s.TeamAlias, APIKeyAlias: s.APIKeyAlias}
	r.totals = totals
	return nil
}
