package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/ledger"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

const (
	// The largest books that a collector is to start with.
	booksHours = 35*24 - 1
	booksCalls = 50_000_000
	booksRows  = 250_000
	// answerHours is how far back calls have a response id that a hit of the
	// response cache may repeat; answers are remembered for two days.
	answerHours = 48

	hoursPerOpening = 24   // so that neither memory holds them all, nor the books what the archive takes
	callsPerBatch   = 5000 // of one commit
	starts          = 3
)

// startWithBooks makes books through the ledger itself, and starts collectors
// on them.
func (o *options) startWithBooks(ctx context.Context) (section, error) {
	s := section{
		title: "Start with 35 days of books",
		about: fmt.Sprintf(`%d calls in %d hours, %d rows, all posted; calls of the last two days have response ids, as LiteLLM's first dialect tells of them.
Identities of calls are in the archive, which a start does not open, but for those of the last day. Ready: from the start of the process
until its health check answers; median of %d starts. RSS %s after that. file_storage has bbolt look at every page of a file that it opens, so
that the kernel maps most of it; it takes such pages back when memory is needed. Storage is what the files take of the disk.`, booksCalls, booksHours, booksRows, starts, quietTime),
		head: []string{"Collector", "Ready", "RSS", "of it mapped files", "RSS peak", "Storage"},
	}
	folder, err := os.MkdirTemp(o.temp, "otelcol-cloudzero-books-")
	if err != nil {
		return s, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	begin := time.Now()
	if err := makeBooks(ctx, folder, billing.HourOf(time.Now())); err != nil {
		return s, fmt.Errorf("make the books: %w", err)
	}
	o.progress("made %d calls of books in %s", booksCalls, time.Since(begin).Round(time.Second))
	stored, err := sizeOf(folder)
	if err != nil {
		return s, err
	}
	empty, _, err := o.startOn(ctx, "")
	if err != nil {
		return s, err
	}
	s.row("without books", milliseconds(empty.ready), megabytes(empty.now), megabytes(empty.mapped), megabytes(empty.peak), "")
	var ready, now, mapped, peak []float64
	for range starts {
		t, rows, err := o.startOn(ctx, folder)
		if err != nil {
			return s, err
		}
		if rows != booksRows {
			return s, fmt.Errorf("the collector knows %d rows of %d: does it look for its books elsewhere?", rows, booksRows)
		}
		ready, now = append(ready, float64(t.ready)), append(now, float64(t.now))
		mapped, peak = append(mapped, float64(t.mapped)), append(peak, float64(t.peak))
	}
	took := time.Duration(median(ready))
	s.row("with books", milliseconds(took), megabytes(uint64(median(now))), megabytes(uint64(median(mapped))),
		megabytes(uint64(median(peak))), megabytes(stored))
	s.aim(took <= 3*time.Second, "Ready", "≤ 3 s", "%s", milliseconds(took))
	s.aim(median(peak) <= 200e6, "RSS, at the peak", "≤ 200 MB", "%s, of it %s mapped pages of files",
		megabytes(uint64(median(peak))), megabytes(uint64(median(mapped))))
	s.aim(true, "Storage", "stated", "%s, %.1f bytes a call", megabytes(stored), float64(stored)/booksCalls)
	return s, nil
}

// started is what a start took.
type started struct {
	memory
	ready time.Duration
}

func (o *options) startOn(ctx context.Context, folder string) (t started, rows int, err error) {
	s, err := o.start(ctx, cloudzero, folder)
	if err != nil {
		return t, 0, err
	}
	defer s.end()
	t.ready = s.ready
	if err := pause(ctx, quietTime); err != nil {
		return t, 0, err
	}
	if t.memory, err = memoryOf(s.PID()); err != nil {
		return t, 0, err
	}
	known, err := s.metric(ctx, "otelcol_exporter_cloudzero_rows", "")
	if err != nil {
		return t, 0, err
	}
	return t, int(known), s.Stop(ctx)
}

// makeBooks fills a file_storage with the hours before now.
func makeBooks(ctx context.Context, folder string, now billing.Hour) (err error) {
	ext, _, err := newStorage(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ext.Shutdown(ctx)) }()
	client, err := booksClient(ctx, ext, booksName)
	if err != nil {
		return err
	}
	options := ledger.Options{
		Retention: 35 * 24 * time.Hour, Logger: zap.NewNop(),
		Archive: func(ctx context.Context, slot int) (storage.Client, error) {
			return booksClient(ctx, ext, fmt.Sprintf("archive_%d_%s", slot, booksName))
		},
	}
	defer func() { err = errors.Join(err, client.Close(ctx)) }()
	layout, err := cbf.NewLayout([]string{cbf.Team, cbf.User})
	if err != nil {
		return err
	}
	m := bookMaker{layout: layout, now: now}
	for first := 0; first < booksHours; first += hoursPerOpening {
		books, err := ledger.Open(ctx, client, options)
		if err != nil {
			return err
		}
		for i := first; i < min(first+hoursPerOpening, booksHours); i++ {
			if err := m.hour(ctx, books, i); err != nil {
				return err
			}
		}
		if err := books.Close(ctx); err != nil {
			return err
		}
		// Open books do so when hours have become old enough, one at a time.
		if err := ledger.Archive(ctx, client, options); err != nil {
			return err
		}
	}
	return nil
}

// bookMaker makes hours of books. Calls are told apart by their number.
type bookMaker struct {
	layout cbf.Layout
	now    billing.Hour
	batch  ledger.Batch
	made   uint64
}

// hour makes the i-th hour, the oldest first, and marks it as posted.
func (m *bookMaker) hour(ctx context.Context, books *ledger.Ledger, i int) error {
	at := m.now - booksHours + billing.Hour(i)
	calls, rows := share(booksCalls, i), share(booksRows, i)
	cost, err := billing.ParseAmount("0.0004338")
	if err != nil {
		return err
	}
	for from := 0; from < calls; from += callsPerBatch {
		m.batch.Reset()
		for n := from; n < min(from+callsPerBatch, calls); n++ {
			m.made++
			row := n % rows
			r := usage.Record{
				Outcome: billing.Billed, Hour: at, Cost: cost, Tokens: billing.Tokens{Input: 560, Output: 583},
				Provider: "openai", Model: fmt.Sprintf("gpt-%d", row%5), Team: fmt.Sprintf("team-%d", row%20), TeamAlias: "Search Team",
				User: fmt.Sprintf("user-%04d@example.com", row), APIKeyAlias: "key-search", Call: identity(m.made), FromProvider: true,
			}
			if i >= booksHours-answerHours {
				r.Answer = identity(m.made + booksCalls)
			}
			m.batch.Add(m.layout, &r)
		}
		if err := books.Commit(ctx, &m.batch); err != nil {
			return err
		}
	}
	for _, s := range books.Hours() {
		if s.Hour == at {
			const bytesPerRow = 500 // as JSON
			return books.MarkPosted(ctx, map[billing.Hour]ledger.Posting{at: {
				Revision: s.Revision, At: time.Now().Unix(), Rows: s.Rows, Bytes: s.Rows * bytesPerRow, Cost: s.Totals.Cost,
			}})
		}
	}
	return fmt.Errorf("hour %s was committed and is not in the books", at)
}

// share is the i-th hour's part of a number, so that all parts add up to it.
func share(all, i int) int { return all*(i+1)/booksHours - all*i/booksHours }

// identity spreads numbers as a hash does, without ever giving one twice.
func identity(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 }
