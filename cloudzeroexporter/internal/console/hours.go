package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// maxPage is the most entries that one answer lists.
const maxPage = 1000

// hours is GET /cloudzero/hours?from&to&offset: the books' hours, newest first.
type hours struct {
	exports Exports
	opts    Options
}

// hourLine is an hour in a list.
type hourLine struct {
	Hour       billing.Hour   `json:"hour"`
	State      string         `json:"state"`
	Rows       int            `json:"rows"`
	Cost       billing.Amount `json:"cost"`
	Posted     billing.Amount `json:"posted"`
	Waiting    billing.Amount `json:"waiting"`
	Tokens     uint64         `json:"tokens"`
	FoldedRows int            `json:"folded_rows,omitempty"`
	HeldRows   int            `json:"held_rows,omitempty"`
	PostedAt   *time.Time     `json:"posted_at"`
}

func (h *hours) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, to, err := hourRange(q.Get("from"), q.Get("to"), h.opts.Settings.Timezone, "from", "to")
	offset := 0
	if text := q.Get("offset"); err == nil && text != "" {
		if offset, err = strconv.Atoi(text); err != nil || offset < 0 {
			err = fmt.Errorf("offset: %q is not a number of entries", text)
		}
	}
	if err != nil {
		fail(w, h.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	lines := h.lines(from, to)
	total := len(lines)
	lines = lines[min(offset, total):]
	reply(w, h.opts.Logger, http.StatusOK, struct {
		Hours []hourLine `json:"hours"`
		Total int        `json:"total"`
	}{lines[:min(len(lines), maxPage)], total})
}

// lines are the hours from one up to another, newest first.
func (h *hours) lines(from, to billing.Hour) []hourLine {
	held := make(map[billing.Hour]bool)
	for _, entry := range h.exports.State(time.Now()).Held {
		held[entry.Hour] = true
	}
	lines := []hourLine{}
	for _, s := range h.exports.Hours() {
		if s.Hour >= from && s.Hour < to {
			lines = append(lines, h.line(s, held[s.Hour]))
		}
	}
	slices.Reverse(lines)
	return lines
}

func (h *hours) line(s ledger.Summary, held bool) hourLine {
	line := hourLine{
		Hour: s.Hour, State: h.state(s, held), Rows: s.Rows, Cost: s.Totals.Cost, Posted: s.Posted.Cost, Waiting: s.Waiting(),
		Tokens: s.Totals.Tokens.Total(), FoldedRows: s.Posted.Folded, HeldRows: s.Posted.Held,
	}
	if s.Posted.At > 0 {
		line.PostedAt = known(time.Unix(s.Posted.At, 0))
	}
	return line
}

// state is what an hour is in, in one word.
func (h *hours) state(s ledger.Summary, held bool) string {
	switch now := time.Now(); {
	case held:
		return "held"
	case now.Before(s.Hour.End()):
		return "open"
	case h.exports.Due(s) && s.Posted.Revision > 0:
		return "late"
	case h.exports.Due(s):
		return "due"
	case s.Unposted():
		return "settling"
	case s.Posted.Folded > 0:
		return "folded"
	default:
		return "posted"
	}
}

// rows is GET /cloudzero/hours/{hour}/rows?format=csv: an hour's CBF rows.
type rows struct {
	exports Exports
	opts    Options
}

func (s *rows) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, err := billing.ParseHour(r.PathValue("hour"))
	if err != nil {
		fail(w, s.opts.Logger, http.StatusBadRequest, err.Error())
		return
	}
	c, err := s.exports.Contents(r.Context(), at)
	if err != nil {
		fail(w, s.opts.Logger, http.StatusInternalServerError, err.Error())
		return
	}
	if len(c.Rows) == 0 {
		fail(w, s.opts.Logger, http.StatusNotFound, fmt.Sprintf("hour %s is not in the books", at))
		return
	}
	if r.URL.Query().Get("format") == "csv" {
		s.csv(w, c)
		return
	}
	data := make([]json.RawMessage, len(c.Rows))
	for i, row := range c.Rows {
		data[i] = s.opts.Format.AppendJSON(nil, at, row)
	}
	reply(w, s.opts.Logger, http.StatusOK, struct {
		Hour billing.Hour      `json:"hour"`
		Rows []json.RawMessage `json:"rows"`
	}{at, data})
}

// csv writes the rows as a table with every column that one of them has.
func (s *rows) csv(w http.ResponseWriter, c ledger.Contents) {
	var columns []string
	lines := make([]map[string]string, len(c.Rows))
	for i, row := range c.Rows {
		lines[i] = make(map[string]string)
		for column, value := range s.opts.Format.Columns(c.Hour, row) {
			if !slices.Contains(columns, column) {
				columns = append(columns, column)
			}
			lines[i][column] = value
		}
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="cbf-`+c.Hour.Start().Format("2006-01-02T15")+`.csv"`)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	_ = out.Write(columns)
	for _, line := range lines {
		record := make([]string, len(columns))
		for i, column := range columns {
			record[i] = harmless(line[column])
		}
		_ = out.Write(record)
	}
	out.Flush() // what does not reach its reader is nobody's loss
}

// harmless keeps a spreadsheet from taking a caller's name for a formula.
func harmless(cell string) string {
	if cell != "" && (cell[0] == '=' || cell[0] == '+' || cell[0] == '-' || cell[0] == '@' || cell[0] == '\t' || cell[0] == '\r') {
		return "'" + cell
	}
	return cell
}
