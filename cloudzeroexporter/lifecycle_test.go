package cloudzeroexporter

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/otelcol/otelcoltest"
)

func TestStartErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(*rig)
		want   string
	}{
		"no such storage": {
			func(r *rig) { delete(r.host.extensions, diskID) },
			`storage: there is no extension "disk"; list it under service::extensions`,
		},
		"no storage": {
			func(r *rig) { r.host.extensions[diskID] = r.host.extensions[localID] },
			`storage: the extension "disk" is no storage`,
		},
		"storage that does not open": {
			func(r *rig) { r.host.extensions[diskID] = &brokenExtension{} },
			`storage: open "disk": the disk is gone`,
		},
		"no such auth extension": {
			func(r *rig) { delete(r.host.extensions, localID) },
			"HTTP client for AnyCost: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.damage(r)
			e, err := NewFactory().CreateTraces(t.Context(), r.set, r.cfg)
			require.NoError(t, err)
			assert.ErrorContains(t, e.Start(t.Context(), r.host), c.want)
			assert.NoError(t, e.Shutdown(t.Context()), "after a start that failed")
		})
	}
}

// brokenExtension is a storage that does not open.
type brokenExtension struct {
	component.StartFunc
	component.ShutdownFunc
}

func (*brokenExtension) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return nil, errors.New("the disk is gone")
}

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e, err := NewFactory().CreateTraces(t.Context(), r.set, r.cfg)
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
	require.NoError(t, e.Shutdown(t.Context()))
}

func TestShutdownGivesUpARequestAndKeepsItsHours(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: 50 * time.Second})
		e := r.start()
		spend(t, e, noon.Add(-2*time.Hour), "a", "1")
		for len(r.sent()) == 0 && time.Since(noon) < 59*time.Minute {
			pass(10 * time.Second)
		}
		require.NoError(t, e.Shutdown(t.Context()))
		e = r.start()
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T10": "1"}, r.costs())
		_ = e
	})
}

// TestAFailingStorageIsNotAcknowledged: the sender keeps what the books do not
// have.
func TestAFailingStorageIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		disk := &failingDisk{memory: r.disk}
		r.host.extensions[diskID] = disk
		e := r.start()
		disk.fail.Store(true)
		td := ptrace.NewTraces()
		addCall(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans(), noon, "a", "gpt-4o", "1")
		require.ErrorContains(t, e.ConsumeTraces(t.Context(), td), "no space left")
		assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, r.host.statuses)

		disk.fail.Store(false)
		require.NoError(t, e.ConsumeTraces(t.Context(), td)) // the sender repeats it
		assert.Equal(t, componentstatus.StatusOK, r.host.statuses[len(r.host.statuses)-1])
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
	})
}

// TestAStorageThatCannotBeReadHoldsNothing: an hour has left memory when the
// disk breaks, and is posted as soon as it mends.
func TestAStorageThatCannotBeReadHoldsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		disk := &modelDisk{memory: r.disk}
		r.host.extensions[diskID] = disk
		spend(t, r.start(), noon, "a", "1")
		pass(40 * time.Minute)
		disk.broken.Store(true)
		pass(5 * time.Hour)
		assert.Empty(t, r.costs())
		assert.Zero(t, r.gauge("held_hours"))
		disk.broken.Store(false)
		pass(10 * time.Minute)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
	})
}

// failingDisk is a storage that can be made to fail.
type failingDisk struct {
	component.StartFunc
	component.ShutdownFunc
	*memory
	fail atomic.Bool
}

func (d *failingDisk) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return d, nil
}

func (d *failingDisk) Set(ctx context.Context, key string, value []byte) error {
	return d.Batch(ctx, storage.SetOperation(key, value))
}

func (d *failingDisk) Batch(ctx context.Context, ops ...*storage.Operation) error {
	if d.fail.Load() {
		return errors.New("no space left")
	}
	return d.memory.Batch(ctx, ops...)
}

// TestTheConsoleServes goes through the exporter's own port.
func TestTheConsoleServes(t *testing.T) {
	t.Parallel()
	address := otelcoltest.Free(t)
	r := newRig(t)
	consoleCfg := *createDefaultConfig().(*Config).Console.GetOrInsertDefault()
	consoleCfg.HTTP.NetAddr.Endpoint = address
	r.cfg.Console = configoptional.Some(consoleCfg)
	e := r.start()
	spend(t, e, time.Now(), "a", "0.25")

	post := func(path string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+path, http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		var text bytes.Buffer
		_, err = text.ReadFrom(response.Body)
		require.NoError(t, err)
		return response.StatusCode, text.String()
	}
	status, text := post("/cloudzero/dry-run")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, `"total_cost":0.25`)
	assert.Empty(t, r.anycost.Rows())
	status, text = post("/cloudzero/export")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, `"rows":1,"cost":"0.25"`)
	assert.Equal(t, "0.25", r.anycost.Total(), "the open hour too")
	status, text = post("/cloudzero/export")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, `"posted":[]`)
	http.DefaultClient.CloseIdleConnections()
}

// TestNothingIsLoggedPerSpan sends many spans of every kind.
func TestNothingIsLoggedPerSpan(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, r *rig) {
		e := r.start()
		synctest.Wait()
		before := r.logs.Len()
		for range 100 {
			spend(t, e, noon, "a", "1", "0", "", "x", "-1", "NaN")
		}
		assert.Equal(t, before, r.logs.Len())
	})
}

// TestRoomsImportOnlyWhatIsBeforeThem keeps the way of the data a way.
func TestRoomsImportOnlyWhatIsBeforeThem(t *testing.T) {
	t.Parallel()
	const internal = "github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/"
	for room, allowed := range map[string]string{
		"billing": "",
		"usage":   "billing",
		"cbf":     "billing usage",
		"leaks":   "billing usage",
		"series":  "billing",
		"ledger":  "billing usage cbf series",
		"anycost": "billing",
		"shipper": "billing usage cbf series ledger anycost",
		"setup":   "",
		"console": "billing usage cbf series ledger anycost shipper setup",
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", internal+room).Output()
		require.NoError(t, err)
		for dependency := range strings.Lines(string(out)) {
			dependency = strings.TrimSpace(dependency)
			if other, ok := strings.CutPrefix(dependency, internal); ok && other != room {
				assert.Contains(t, strings.Fields(allowed), other, "%s imports %s", room, other)
			}
			if room == "billing" || room == "usage" || room == "cbf" || room == "series" {
				assert.NotEqual(t, "net/http", dependency, "%s is a pure room", room)
			}
		}
	}
}
