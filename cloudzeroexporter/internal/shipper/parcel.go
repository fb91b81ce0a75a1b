package shipper

import (
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// envelopeBytes is more than a body has around its rows.
const envelopeBytes = 100

// usualRowBytes is what most rows take.
const usualRowBytes = 640

// parcel is one hour, ready to be posted.
type parcel struct {
	ledger.Summary
	// data is the hour's rows as JSON objects with commas between them; ends
	// are the offsets behind each of them.
	data []byte
	ends []int
	rows []cbf.Row
	cost billing.Amount // of these rows

	// folded is the number of rows that are in here as part of another.
	folded int
	// isolated says that rows which AnyCost refuses were looked for; refused
	// are those that were left out.
	isolated bool
	refused  HeldHour
	// before is the size of the rows that were added to the hour before.
	before room
}

// wrap makes a parcel of the hour that fits into the room. The rows of base are
// posted as they are.
func wrap(f cbf.Format, c ledger.Contents, base [][]byte, r room) parcel {
	whole := packed(f, c.Summary, base, c.Rows)
	if len(whole.data) <= r.bytes && len(whole.ends) <= r.rows {
		return whole
	}
	var sizes []int
	begin := 0
	for _, end := range whole.ends {
		sizes, begin = append(sizes, end-begin), end
	}
	for _, size := range sizes[:len(base)] {
		r.bytes -= size
	}
	r.rows -= len(base)
	rows, folded := fold(f, c.Hour, c.Rows, sizes[len(base):], r)
	p := packed(f, c.Summary, base, rows)
	p.folded = folded
	return p
}

func packed(f cbf.Format, s ledger.Summary, base [][]byte, rows []cbf.Row) parcel {
	count := len(base) + len(rows)
	p := parcel{
		Summary: s,
		data:    make([]byte, 0, count*usualRowBytes), ends: make([]int, 0, count), rows: make([]cbf.Row, 0, count),
	}
	for _, raw := range base {
		p.addRaw(raw)
	}
	for _, row := range rows {
		p.add(f, row)
	}
	return p
}

func (p *parcel) add(f cbf.Format, r cbf.Row) {
	p.comma()
	p.data = f.AppendJSON(p.data, p.Hour, r)
	p.end(r)
	p.cost = p.cost.Add(r.Cost)
}

// addRaw adds a row that is not of the books.
func (p *parcel) addRaw(row []byte) {
	p.comma()
	p.data = append(p.data, row...)
	p.end(cbf.Row{})
}

func (p *parcel) comma() {
	if len(p.ends) > 0 {
		p.data = append(p.data, ',')
	}
}

func (p *parcel) end(r cbf.Row) {
	p.ends = append(p.ends, len(p.data))
	p.rows = append(p.rows, r)
}

// between is the JSON of the rows from one index up to another.
func (p *parcel) between(from, to int) []byte {
	begin := 0
	if from > 0 {
		begin = p.ends[from-1] + len(",")
	}
	return p.data[begin:p.ends[to-1]]
}

// posting is what is recorded when AnyCost has taken the parcel.
func (p *parcel) posting(at, doubt int64) ledger.Posting {
	return ledger.Posting{
		Revision: p.Revision, At: at, Rows: p.before.rows + len(p.ends), Bytes: p.before.bytes + len(p.data), Cost: p.cost,
		Held: p.refused.Rows, Folded: p.folded, Doubt: doubt,
		Origin: p.Posted.Origin, BaseRows: p.Posted.BaseRows, BaseBytes: p.Posted.BaseBytes,
	}
}

// part is a run of an hour's rows.
type part struct {
	rows int
	data []byte
}

// split cuts the hour into parts of at most limit bytes, or of one row.
func (p parcel) split(limit int) []part {
	if len(p.ends) == 0 {
		return nil
	}
	var parts []part
	begin, first := 0, 0
	for i, end := range p.ends {
		if end-begin > limit && i > first {
			parts = append(parts, part{rows: i - first, data: p.data[begin:p.ends[i-1]]})
			begin, first = p.ends[i-1]+len(","), i
		}
	}
	return append(parts, part{rows: len(p.ends) - first, data: p.data[begin:]})
}

// load is hours of one month that go together into one body.
type load struct {
	parcels []parcel
	bytes   int
}

// takes says whether the hour can go into the same body.
func (l *load) takes(p parcel) bool {
	return len(l.parcels) == 0 ||
		p.Hour.Month() == l.month() && envelopeBytes+l.bytes+len(p.data)+len(",") <= anycost.MaxBodyBytes
}

func (l *load) add(p parcel) {
	l.parcels = append(l.parcels, p)
	l.bytes += len(p.data) + len(",")
}

func (l *load) month() billing.Month { return l.parcels[0].Hour.Month() }

// dropOf packs hours of one month into one drop that replaces them.
func dropOf(parcels []parcel) *anycost.Drop {
	d := anycost.NewDrop(parcels[0].Hour.Month(), anycost.ReplaceHourly)
	for _, p := range parcels {
		d.Add(len(p.ends), p.data)
	}
	return d
}
