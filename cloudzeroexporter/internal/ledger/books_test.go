package ledger

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/cbf"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("disk on fire")

// disk is a storage client whose failures are scripted. Its mutex guards all.
type disk struct {
	mu     sync.Mutex
	values map[string][]byte
	// broken makes every write fail; lying makes it fail after it took effect.
	broken, lying bool
	// left, if not negative, is the number of operations until it breaks; a
	// batch that meets it is applied in part, as by a storage without transactions.
	left int
	// gate, if not nil, holds up every write until it is closed.
	gate chan struct{}
	// opened are the slots of the archive that are open.
	opened map[string]bool
}

func newDisk() *disk { return &disk{values: make(map[string][]byte), left: -1} }

// crash is what a new process finds on the disk.
func (d *disk) crash() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &disk{values: maps.Clone(d.values), left: -1}
}

func (d *disk) Get(_ context.Context, key string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.values[key], nil
}

func (d *disk) Set(ctx context.Context, key string, value []byte) error {
	return d.Batch(ctx, storage.SetOperation(key, value))
}

func (d *disk) Delete(ctx context.Context, key string) error {
	return d.Batch(ctx, storage.DeleteOperation(key))
}

func (d *disk) Batch(_ context.Context, ops ...*storage.Operation) error {
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return errDisk
	}
	for _, op := range ops {
		if d.left == 0 {
			return errDisk
		}
		if d.left > 0 {
			d.left--
		}
		if op.Type == storage.Delete {
			delete(d.values, op.Key)
		} else {
			d.values[op.Key] = op.Value
		}
	}
	if d.lying {
		return errDisk
	}
	return nil
}

func (*disk) Close(context.Context) error { return nil }

func (d *disk) set(change func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *disk) keys(prefix string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.values {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

var byUser = func() cbf.Layout {
	l, err := cbf.NewLayout([]string{cbf.User})
	if err != nil {
		panic(err)
	}
	return l
}()

func open(t testing.TB, d *disk) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), d, Options{Retention: 840 * time.Hour, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close(context.Background())) })
	return l
}

// spend is a call of user that cost so much; identities tell calls apart.
func spend(at billing.Hour, identity uint64, user, cost string) *usage.Record {
	a, err := billing.ParseAmount(cost)
	if err != nil {
		panic(err)
	}
	return &usage.Record{
		Outcome: billing.Billed, Hour: at, Call: identity, Provider: "openai", Model: "gpt-4o", Team: "red", User: user,
		TeamAlias: "Red", Cost: a, Tokens: billing.Tokens{Input: 10, Output: 5},
	}
}

// spends are n calls of ana that cost a cent each and were never told before.
func spends(n int, told *atomic.Uint64) []*usage.Record {
	records := make([]*usage.Record, n)
	for i := range records {
		records[i] = spend(noon, told.Add(1), "ana", "0.01")
	}
	return records
}

func commit(l *Ledger, records ...*usage.Record) (Tally, error) {
	var b Batch
	for _, r := range records {
		b.Add(byUser, r)
	}
	err := l.Commit(context.Background(), &b)
	return b.Tally(), err
}

func outcomes(t Tally) map[string]int64 {
	m := make(map[string]int64)
	for o, n := range t.Spans {
		if n > 0 {
			m[billing.Outcome(o).String()] = n
		}
	}
	return m
}

// costs is what the books hold: hour, user, exact cost.
func costs(t require.TestingT, l *Ledger) map[string]string {
	m := make(map[string]string)
	for _, s := range l.Hours() {
		c, err := l.Contents(context.Background(), s.Hour)
		require.NoError(t, err)
		var sum cbf.Totals
		for _, r := range c.Rows {
			m[s.Hour.String()+" "+r.Value(cbf.User)] = r.Cost.String()
			sum = sum.Add(r.Totals)
		}
		require.Equal(t, c.Totals, sum, "the hour is the sum of its rows")
		require.Len(t, c.Rows, s.Rows)
	}
	return m
}
