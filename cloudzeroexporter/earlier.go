package cloudzeroexporter

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// askFor is how long the first start of books waits to hear what AnyCost holds.
const askFor = 5 * time.Second

// earlierIsBilled says whether somebody else billed what series of metrics had counted
// before these books began. If the configuration does not say so, rows of lately at
// AnyCost do, which books that only begin cannot have posted: they are those of a
// storage that was lost, or of another exporter. It is asked once in the life of books.
func (e *cloudzeroExporter) earlierIsBilled(ctx context.Context) bool {
	if e.cfg.Metrics.Earlier != earlierAuto {
		return e.cfg.Metrics.Earlier == earlierSkip
	}
	client, err := e.clientOf(e.credentials)
	if err != nil || client == nil {
		return false // nobody has posted anything there
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	counts, err := client.Counts(ctx)
	if err != nil {
		e.set.Logger.Warn("AnyCost does not tell what it holds, so what series of metrics had counted before these books began will be billed. "+
			"If somebody else billed it, such as books that were lost, begin with metrics::earlier: skip", zap.Error(err))
		return false
	}
	now := billing.MonthOf(time.Now())
	rows := counts[now.String()] + counts[(now-1).String()]
	if rows > 0 {
		e.set.Logger.Warn("AnyCost holds rows of this month or the last one that these books did not post, so what series of metrics had counted "+
			"before is taken for billed and left out; what they count from now on is billed. If nobody has billed it, begin with metrics::earlier: bill",
			zap.Int("rows", rows))
	}
	return rows > 0
}
