package ledger

import (
	"strings"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// hour is one hour of the books. Its summary is always in memory; its contents
// leave when nobody touches them, and come back from the checkpoint.
type hour struct {
	summary
	*contents // nil while they are on disk only

	// pending is what waits for the next commit; nil when nothing does.
	pending *change

	// changed says that the hour differs from its checkpoint, together that the
	// next one puts its identities into one chunk.
	changed, together bool
	// used is when the contents were last needed.
	used time.Time
}

// summary is what the books always know of an hour.
type summary struct {
	Hour billing.Hour
	// Revision grows with every change of a row.
	Revision uint64
	// Rows is the number of rows.
	Rows int
	// Totals are the sums over all rows.
	Totals cbf.Totals
	// Posted is what AnyCost is known to hold; zero when it was never posted.
	Posted Posting
	// SeenChunks is the number of stored chunks of identities. The first SeenMoved
	// of them are no more: what they had is in the archive, in Slot.
	SeenChunks, SeenMoved, Slot int
}

// Posting records that AnyCost accepted an hour.
type Posting struct {
	// Revision is the hour's revision that was posted.
	Revision uint64
	// At is the time of the answer, in seconds since 1970.
	At int64
	// Rows and Bytes are the size of what was posted.
	Rows, Bytes int
	// Cost is the sum of the rows that were posted.
	Cost billing.Amount
	// Held is the number of rows that AnyCost refuses and that were left out.
	Held int
	// Folded is the number of rows that were posted as part of another.
	Folded int
	// Doubt is the time of the last request whose effect nobody knows, in
	// seconds since 1970; 0 when there is none. It is recorded before a
	// request, so that a crash leaves it behind.
	Doubt int64
	// Origin says whether AnyCost held rows of the hour before the books did.
	Origin Origin
	// BaseRows and BaseBytes are the size of those rows, and in Rows and Bytes.
	BaseRows, BaseBytes int
}

// Origin says how the books share an hour with what AnyCost held before them.
type Origin uint8

const (
	// Own is an hour that only the books have rows of.
	Own Origin = iota
	// Inherited is an hour that AnyCost may hold rows of that the books do not
	// know: replacing it would erase them.
	Inherited
	// Kept is one whose rows were read back; they are posted with the others.
	Kept
	// Added is one whose rows could not be read back. Its calls are added.
	Added
)

// done says whether AnyCost holds all of the hour, beyond doubt.
func (s *summary) done() bool {
	return s.Revision == s.Posted.Revision && s.Posted.Held == 0 && s.Posted.Doubt == 0
}

// contents are an hour's rows and the identities of its calls.
type contents struct {
	rows map[string]*row // by their key
	seen identities
	// unsaved are the identities that no stored chunk has yet, packed. The journal,
	// or the commit under way, has the first journaled bytes of them.
	unsaved   []byte
	journaled int
}

// row is a line of the books.
type row struct {
	totals cbf.Totals
	// pending says that a change waits for the next commit.
	pending bool
	// labelled is the hash of the labels that were told last; 0 when unknown. It
	// lies beside the totals, where the labels themselves would be fetched for
	// each call.
	labelled uint64
	key      cbf.Key
	labels   cbf.Labels
}

func newContents() *contents {
	return &contents{rows: make(map[string]*row)}
}

// add books a call on its row, which is made when it is the first.
func (h *hour) add(key []byte, labels *cbf.Labels, t *cbf.Totals) *row {
	r, ok := h.rows[string(key)]
	if !ok {
		r = h.rowOf(cbf.KeyOf(key))
	}
	if hash := labels.Hash(); hash != r.labelled {
		r.labelled = hash
		r.relabel(*labels)
	}
	r.totals.Increase(t)
	h.Totals.Increase(t)
	h.Revision++
	h.changed = true
	return r
}

// rowOf is the row of a key, which is made when there is none.
func (h *hour) rowOf(key cbf.Key) *row {
	if r, ok := h.rows[string(key)]; ok {
		return r
	}
	return h.open(key)
}

// open makes a row without totals.
func (h *hour) open(key cbf.Key) *row {
	r := &row{key: key}
	h.rows[string(key)] = r
	h.Rows = len(h.rows)
	return r
}

// relabel takes over labels that are there and differ.
func (r *row) relabel(l cbf.Labels) {
	relabel(&r.labels.TeamAlias, l.TeamAlias)
	relabel(&r.labels.APIKeyAlias, l.APIKeyAlias)
}

func relabel(label *string, name string) {
	if name == "" || name == *label {
		return
	}
	if name = usage.Bounded(name); name != *label {
		*label = strings.Clone(name)
	}
}
