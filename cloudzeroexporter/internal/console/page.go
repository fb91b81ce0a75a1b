package console

import (
	"cmp"
	"context"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

//go:embed web/*.html
var templateFiles embed.FS

//go:embed static
var static embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"name": displayName, "capital": capital}).ParseFS(templateFiles, "web/*.html"))

const (
	// pageHours, pageRows and pageGroups are the lines of the page's tables.
	pageHours, pageRows, pageGroups = 24, 100, 20
)

// view is what the page shows.
type view struct {
	shipper.State
	Settings   Settings
	Zone       *time.Location
	LogOut     bool
	Health     health
	Warnings   []Warning
	Progress   progressLine
	Rejected   billing.Amount
	Spending   spendingView
	Hours      []hourLine
	HourPages  pages
	Rows       *rowsView
	Unpriced   modelList
	AtZero     modelList
	Outcomes   []spanLine
	Points     []pointLine
	Operations []string

	query url.Values
}

// page is GET /: everything at a glance, readable without JavaScript.
func (c *console) page(w http.ResponseWriter, r *http.Request) {
	e := c.Current()
	v, err := c.view(r.Context(), e, r.URL.Query())
	if err != nil {
		c.failWith(w, err)
		return
	}
	c.render(w, http.StatusOK, "page.html", v)
}

func (c *console) view(ctx context.Context, e Exports, query url.Values) (v view, err error) {
	settings := e.Settings()
	v = view{
		State: e.State(time.Now()), Settings: settings, Zone: settings.Timezone, LogOut: c.Token != "", Warnings: e.Warnings(),
		Progress: lineOf(e.Progress()), Rejected: e.Rejected(), Operations: operations, query: query,
	}
	v.Health = healthOf(settings, v.State)
	if v.Spending, err = c.spendingView(ctx, e, query); err != nil {
		return v, err
	}
	lines := hourLines(e, 0, forever)
	v.HourPages = pagesOf(query, "hours", len(lines), pageHours)
	v.Hours = part(v.HourPages.span, lines)
	if v.Rows, err = rowsViewOf(ctx, e, query); err != nil {
		return v, err
	}
	if v.Unpriced, v.AtZero, err = c.withoutCost(ctx, e, billing.HourOf(v.Spending.From)); err != nil {
		return v, err
	}
	outcomes := e.Outcomes()
	v.Outcomes, v.Points = outcomes.spanLines(), outcomes.pointLines()
	return v, nil
}

// health is whether it works, in a word for the eye and a sentence.
type health struct{ Class, Text string }

func healthOf(settings Settings, s shipper.State) health {
	switch {
	case settings.DryRun:
		return health{"ok", "This is a dry run: nothing is posted."}
	case settings.Source == Nowhere:
		return health{"bad", "Nothing is posted, because no connection is set up. What LiteLLM sends is kept and waits."}
	case s.LastError != nil, len(s.Conflicts) > 0:
		return health{"bad", "Posting has stopped; nothing is lost, and it is tried again."}
	case len(heldHours(s.Held, true)) > 0:
		return health{"bad", "Posting works, but somebody has to look whether CloudZero took an addition."}
	case len(s.Held) > 0:
		return health{"bad", "Posting works, but CloudZero refuses some rows."}
	case s.LastPost.IsZero():
		return health{"ok", "Nothing has been posted yet."}
	default:
		return health{"ok", "Posting works."}
	}
}

// rowsView is the rows of the hour that was asked for.
type rowsView struct {
	Hour     billing.Hour
	Found    bool
	Contents ledger.Contents
	Pages    pages
}

func rowsViewOf(ctx context.Context, e Exports, query url.Values) (*rowsView, error) {
	at, err := billing.ParseHour(query.Get("hour"))
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // no hour was asked for
	}
	c, err := e.Contents(ctx, at)
	if err != nil {
		return nil, err
	}
	v := &rowsView{Hour: at, Found: len(c.Rows) > 0, Contents: c, Pages: pagesOf(query, "rows", len(c.Rows), pageRows)}
	v.Contents.Rows = part(v.Pages.span, c.Rows)
	return v, nil
}

// pages are those of a list, and which of them is shown.
type pages struct {
	span
	name         string
	Total        int
	First, Last  int // of the entries shown, from 1
	Newer, Older int // offsets
}

func pagesOf(query url.Values, name string, total, size int) pages {
	offset, err := strconv.Atoi(query.Get(name))
	if err != nil || offset < 0 || offset >= total {
		offset = 0
	}
	return pages{
		span: span{offset, size}, name: name, Total: total, First: min(offset+1, total), Last: min(offset+size, total),
		Newer: max(0, offset-size), Older: offset + size,
	}
}

// Before and After say whether there is another page.
func (p pages) Before() bool { return p.offset > 0 }

// After says whether there is a page behind this one.
func (p pages) After() bool { return p.Last < p.Total }

// Link is the page with other values in its query: names and values in turn, and
// the section to begin at.
func (v view) Link(section string, values ...any) string {
	q := url.Values{}
	for _, name := range []string{"group_by", "days", "per", "hours", "hour", "rows"} {
		if value := v.query.Get(name); value != "" {
			q.Set(name, value)
		}
	}
	for i := 0; i+1 < len(values); i += 2 {
		name, value := values[i].(string), values[i+1]
		switch value := value.(type) {
		case string:
			q.Set(name, value)
		case int:
			q.Set(name, strconv.Itoa(value))
		case billing.Hour:
			q.Set(name, value.String())
		}
	}
	return "?" + q.Encode() + "#" + section
}

// capital begins a word of ours with a capital.
func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// Local is the time in the zone of the page.
func (v view) Local(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return at.In(v.Zone)
}

// At is the beginning of an hour, in the zone of the page.
func (v view) At(h billing.Hour) time.Time { return h.Start().In(v.Zone) }

// displayName is what stands for a name in a table.
func displayName(g group) string {
	switch {
	case g.Name == "":
		return "unknown"
	case strings.EqualFold(g.Alias, g.Name):
		return g.Alias
	case g.Alias != "":
		return g.Alias + " (" + g.Name + ")"
	default:
		return g.Name
	}
}

func (c *console) render(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := templates.ExecuteTemplate(w, name, data); err != nil {
		c.Logger.Debug("The page did not reach its reader", zap.Error(err))
	}
}

// pager is the links between the pages of a list.
type pager struct {
	pages
	Section, NewerLink, OlderLink string
}

// Pager are the links between the pages of a section's list.
func (v view) Pager(section string, p pages) pager {
	return pager{p, section, v.Link(section, p.name, p.Newer), v.Link(section, p.name, p.Older)}
}

// MaskedKey is as much of the API key as tells it from another.
func (v view) MaskedKey() string { return cmp.Or(masked(v.Settings.APIKey), "none") }
