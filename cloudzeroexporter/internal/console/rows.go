package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// rows is GET /cloudzero/hours/{hour}/rows?format=csv, or ?offset&limit: an hour's
// CBF rows.
func (c *console) rows(w http.ResponseWriter, r *http.Request) {
	contents, list, err := c.askedRows(r)
	switch {
	case err != nil:
		c.failWith(w, err)
		return
	case r.URL.Query().Get("format") == "csv":
		c.csv(w, contents)
		return
	}
	data := []json.RawMessage{}
	for _, row := range part(list, contents.Rows) {
		data = append(data, c.Format.AppendJSON(nil, contents.Hour, row))
	}
	c.reply(w, http.StatusOK, struct {
		Hour  billing.Hour      `json:"hour"`
		Rows  []json.RawMessage `json:"rows"`
		Total int               `json:"total"`
	}{contents.Hour, data, len(contents.Rows)})
}

func (c *console) askedRows(r *http.Request) (contents ledger.Contents, list span, err error) {
	at, err := billing.ParseHour(r.PathValue("hour"))
	if err == nil {
		err = onlyParameters(r, "format", "offset", "limit")
	}
	if err == nil {
		list, err = querySpan(r)
	}
	if format := r.URL.Query().Get("format"); err == nil && format != "" && format != "csv" && format != "json" {
		err = fmt.Errorf("format: %q is neither json nor csv", format)
	}
	if err != nil {
		return contents, list, badRequest(err)
	}
	if contents, err = c.Current().Contents(r.Context(), at); err != nil {
		return contents, list, err
	}
	if len(contents.Rows) == 0 {
		return contents, list, refuse(http.StatusNotFound, fmt.Errorf("hour %s is not in the books", at))
	}
	return contents, list, nil
}

// csv writes all rows as a table with every column that one of them has.
func (c *console) csv(w http.ResponseWriter, contents ledger.Contents) {
	var columns []string
	index := make(map[string]int)
	for _, row := range contents.Rows {
		for column := range c.Format.Columns(contents.Hour, row) {
			if _, known := index[column]; !known {
				index[column] = len(columns)
				columns = append(columns, column)
			}
		}
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="cbf-`+contents.Hour.Start().Format("2006-01-02T15")+`.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write(columns)
	record := make([]string, len(columns))
	for _, row := range contents.Rows {
		c.fill(record, index, contents.Hour, row)
		_ = out.Write(record)
	}
	out.Flush() // what does not reach its reader is nobody's loss
}

// fill puts the row's values where their columns are.
func (c *console) fill(record []string, index map[string]int, at billing.Hour, row cbf.Row) {
	clear(record)
	for column, value := range c.Format.Columns(at, row) {
		record[index[column]] = harmless(value)
	}
}

// harmless keeps a spreadsheet from taking a caller's name for a formula.
func harmless(cell string) string {
	if cell != "" && slices.Contains([]byte("=+-@\t\r"), cell[0]) {
		return "'" + cell
	}
	return cell
}
