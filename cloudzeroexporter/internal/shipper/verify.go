package shipper

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycost"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
)

// verifyEvery is the time between two verifications.
const verifyEvery = 24 * time.Hour

// verify compares what AnyCost holds with what was posted, month by month. Months
// whose hours have all left the books are not looked at any more.
func (r *round) verify(ctx context.Context) error {
	posted := make(map[billing.Month]bool)
	for _, h := range r.books.Hours() {
		if h.Posted.Rows > 0 {
			posted[h.Hour.Month()] = true
		}
	}
	for _, month := range slices.Sorted(maps.Keys(posted)) {
		err := r.verifyMonth(ctx, month)
		if err != nil && classOf(err) == anycost.Forbidden {
			r.sayCannotRead(err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *round) sayCannotRead(err error) {
	r.cannotRead = true
	r.opts.Logger.Warn("The API key may not read billing drops, so what CloudZero holds cannot be verified", zap.Error(err))
}

// content is the rows of an hour: how often each resource has each cost.
type content map[[2]string]int

func (r *round) verifyMonth(ctx context.Context, month billing.Month) error {
	expected, err := r.expected(ctx, month)
	if err != nil {
		return err
	}
	posted := make(map[billing.Hour]bool)
	for _, h := range r.books.Hours() {
		posted[h.Hour] = h.Posted.Rows > 0 || h.Posted.Doubt != 0 || h.Posted.Origin != ledger.Own
	}
	found := make(map[billing.Hour]content, len(expected))
	strange := make(map[billing.Hour]bool)
	err = r.client.Read(ctx, month, func(row anycost.Row) error {
		at, err := row.Hour()
		if err != nil {
			return nil //nolint:nilerr // a row of another kind is none of an hour
		}
		if _, ours := expected[at]; !ours {
			// Nobody but us has a reason to write an hour since our start.
			if !posted[at] && at >= billing.HourOf(r.started) && !r.knownStranger(at) && !r.books.LetGo(at) {
				strange[at] = true
			}
			return nil
		}
		if found[at] == nil {
			found[at] = make(content)
		}
		found[at][[2]string{row["resource/id"], row["cost/cost"]}]++
		return nil
	})
	if err != nil {
		return err
	}
	var missing, foreign []billing.Hour
	for at, want := range expected {
		switch got := found[at]; {
		case got.within(want) && want.within(got):
		case got.within(want):
			missing = append(missing, at)
		default:
			foreign = append(foreign, at)
		}
	}
	return r.react(ctx, month, missing, slices.Sorted(maps.Keys(strange)), foreign)
}

// within says whether all rows of c are rows of o.
func (c content) within(o content) bool {
	for row, n := range c {
		if o[row] < n {
			return false
		}
	}
	return true
}

// knownStranger says whether an operator has confirmed rows of the hour that are
// not of the books.
func (r *round) knownStranger(at billing.Hour) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.strangers[at]
}

// react posts again what AnyCost has lost, and stops where somebody else wrote.
func (r *round) react(ctx context.Context, month billing.Month, missing, strange, foreign []billing.Hour) error {
	foreign = slices.Concat(foreign, strange)
	r.opts.Differences(len(missing) + len(foreign))
	if len(missing) > 0 {
		r.opts.Logger.Error("AnyCost lacks rows that it had accepted; their hours are posted again",
			zap.Stringer("month", month), zap.Stringers("hours", missing))
	}
	r.mu.Lock()
	if len(foreign) > 0 {
		r.conflictLocked(Conflict{
			Month: month, hours: foreign,
			Reason: fmt.Sprintf("%d hours hold other rows than were posted, the first %s", len(foreign), foreign[0]),
		})
	} else if c, ok := r.conflicts[month]; ok && len(c.hours) > 0 {
		delete(r.conflicts, month)
	}
	r.mu.Unlock()
	return r.postAgain(ctx, missing)
}

// expected is what AnyCost should hold of the hours whose posted rows are known:
// those that did not change since.
func (r *round) expected(ctx context.Context, month billing.Month) (map[billing.Hour]content, error) {
	all := make(map[billing.Hour]content)
	for _, h := range r.books.Hours() {
		if h.Hour.Month() != month || h.Unposted() || h.Posted.Revision == 0 || h.Posted.Doubt != 0 ||
			h.Posted.Folded > 0 || h.Posted.Held > 0 || h.Posted.BaseRows > 0 || h.Posted.Origin == ledger.Added {
			continue
		}
		c, err := r.books.Contents(ctx, h.Hour)
		if err != nil {
			return nil, err
		}
		if c.Revision != h.Posted.Revision {
			continue
		}
		rows := make(content, len(c.Rows))
		for _, row := range c.Rows {
			rows[[2]string{row.ResourceID(), row.Cost.String()}]++
		}
		all[h.Hour] = rows
	}
	return all, nil
}

// postAgain makes hours due.
func (r *round) postAgain(ctx context.Context, hours []billing.Hour) error {
	if len(hours) == 0 {
		return nil
	}
	postings := make(map[billing.Hour]ledger.Posting, len(hours))
	for _, h := range r.books.Hours() {
		postings[h.Hour] = h.Posted
	}
	again := make(map[billing.Hour]ledger.Posting, len(hours))
	for _, at := range hours {
		p := postings[at]
		p.Revision, p.Cost, p.Rows, p.Bytes = 0, billing.Amount{}, 0, 0
		again[at] = p
	}
	return r.books.MarkPosted(ctx, again)
}
