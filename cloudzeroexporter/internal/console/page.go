package console

import (
	"cmp"
	"context"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

//go:embed web
var web embed.FS

var templates = template.Must(template.ParseFS(web, "web/*.html"))

// spendingHours is how far back the page adds up; the API takes any range.
const spendingHours = 7 * 24

// pageHours is the number of hours on the page.
const pageHours = 48

var groupings = []string{"team", "user", "model", "provider", "day", "hour"}

// page is GET /: everything at a glance, readable without JavaScript.
type page struct {
	exports Exports
	opts    Options
}

// view is what the page shows.
type view struct {
	shipper.State
	ConnectionID, Zone, Health, HealthText string
	Rejected                               billing.Amount
	GroupBy                                string
	Groupings                              []string
	Groups                                 []group
	Total                                  billing.Amount
	Hours                                  []hourView
	MoreHours                              int
}

type hourView struct {
	hourLine
	Local time.Time
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, err := p.view(r.Context(), r.URL.Query().Get("group_by"))
	if err != nil {
		fail(w, p.opts.Logger, http.StatusInternalServerError, err.Error())
		return
	}
	render(w, p.opts.Logger, http.StatusOK, "page.html", v)
}

func (p *page) view(ctx context.Context, by string) (v view, err error) {
	if !slices.Contains(groupings, by) {
		by = groupings[0]
	}
	zone := p.opts.Settings.Timezone
	v = view{
		State: p.exports.State(time.Now()), ConnectionID: cmp.Or(p.opts.Settings.ConnectionID, "none"), Zone: zone.String(),
		Rejected: p.exports.Rejected(), GroupBy: by, Groupings: groupings,
	}
	v.LastPost, v.NextRound = v.LastPost.In(zone), v.NextRound.In(zone)
	v.Health, v.HealthText = p.health(v.State)
	s := summary{p.exports, p.opts}
	h := hours{p.exports, p.opts}
	lines := h.lines(0, forever)
	if len(lines) > 0 {
		if v.Groups, v.Total, err = s.groups(ctx, by, lines[0].Hour-spendingHours, forever); err != nil {
			return v, err
		}
	}
	v.MoreHours = max(0, len(lines)-pageHours)
	for _, line := range lines[:min(len(lines), pageHours)] {
		v.Hours = append(v.Hours, hourView{line, line.Hour.Start().In(zone)})
	}
	return v, nil
}

func (p *page) health(s shipper.State) (class, text string) {
	switch {
	case p.opts.Settings.DryRun:
		return "ok", "This is a dry run: nothing is posted."
	case s.LastError != nil, len(s.Conflicts) > 0:
		return "bad", "Posting has stopped; nothing is lost, and it is tried again."
	case len(s.Held) > 0:
		return "bad", "Posting works, but CloudZero refuses some rows."
	case s.LastPost.IsZero():
		return "ok", "Nothing has been posted since the start."
	default:
		return "ok", "Posting works."
	}
}

// render writes a page that may load nothing but its own files.
func render(w http.ResponseWriter, log *zap.Logger, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := templates.ExecuteTemplate(w, name, data); err != nil {
		log.Debug("The page did not reach its reader", zap.Error(err))
	}
}
