package cloudzeroexporter

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// askFor is how long the first start of books waits to hear what AnyCost holds.
const askFor = 5 * time.Second

// otherwise is what to do when it was the wrong guess.
const otherwise = ". If nobody has billed it, stop, remove these books from the storage, and start with metrics::earlier: bill"

// billedBefore says whether what series of metrics had counted before these books
// began is billed by somebody else. If the configuration does not say so, rows of
// lately at AnyCost do, which books that only begin cannot have posted: they are those of a
// storage that was lost, or of another exporter. In doubt it is taken for billed, so that
// nothing is billed twice, and what is left out is shown. It is asked once in the life
// of books.
func (e *cloudzeroExporter) billedBefore(ctx context.Context) bool {
	switch {
	case e.cfg.Metrics.Earlier != earlierAuto:
		return e.cfg.Metrics.Earlier == earlierSkip
	case e.cfg.DryRun:
		return false // nothing is posted here
	case e.credentials.ConnectionID == "":
		e.set.Logger.Warn("No connection is set up that could tell whether what series of metrics had counted before these books began is billed; " +
			"it is taken for billed and left out" + otherwise)
		return true
	}
	rows, err := e.rowsOfLately(ctx)
	switch {
	case err != nil:
		e.set.Logger.Warn("AnyCost does not tell what it holds, so what series of metrics had counted before these books began "+
			"is taken for billed and left out"+otherwise, zap.Error(err))
	case rows > 0:
		e.set.Logger.Warn("AnyCost holds rows of this month or the last one that these books did not post, so what series of metrics had counted "+
			"before is taken for billed and left out"+otherwise, zap.Int("rows", rows))
	}
	return err != nil || rows > 0
}

// rowsOfLately is the number of rows that AnyCost holds of this month and the last
// one.
func (e *cloudzeroExporter) rowsOfLately(ctx context.Context) (int, error) {
	client, err := e.clientOf(e.credentials)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	counts, err := client.Counts(ctx)
	now := billing.MonthOf(time.Now())
	return counts[now.String()] + counts[(now-1).String()], err
}
