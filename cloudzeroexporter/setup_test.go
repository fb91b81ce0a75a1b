package cloudzeroexporter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/setup"
	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/shipper"
)

const (
	testToken     = "a token that is long enough"
	goodSettings  = `{"api_key":"` + testKey + `","connection_id":"` + testConnection + `"}`
	otherSettings = `{"api_key":"` + testKey + `","connection_id":"connection-2"}`
)

// firstRun is a rig whose configuration has no credentials, with a disk for each
// part of the storage, and an AnyCost that knows every connection.
func firstRun(t *testing.T, test func(*testing.T, *rig, *disksExtension)) {
	t.Helper()
	inBubble(t, func(t *testing.T, r *rig) {
		r.cfg.APIKey, r.cfg.ConnectionID, r.token = "", "", testToken
		r.serve(anycosttest.Config{APIKey: testKey})
		disks := &disksExtension{disks: map[string]*memory{}}
		r.host.extensions[diskID] = disks
		test(t, r, disks)
	})
}

// put sets a connection up and returns the answer, which must be a success.
func (r *rig) put(settings string) map[string]any {
	r.t.Helper()
	status, answer := r.api(http.MethodPut, "/cloudzero/settings", settings)
	require.Equal(r.t, http.StatusOK, status, answer)
	return answer
}

// settingsNow is GET /cloudzero/settings.
func (r *rig) settingsNow() map[string]any {
	r.t.Helper()
	_, answer := r.api(http.MethodGet, "/cloudzero/settings", "")
	return answer
}

func TestWhatCameBeforeTheSetUpIsPostedAfterIt(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, disks *disksExtension) {
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		assert.Empty(t, r.anycost.Requests(), "nothing is asked without a connection")
		assert.Equal(t, componentstatus.StatusRecoverableError, r.host.statuses[len(r.host.statuses)-1])
		assert.NotEmpty(t, r.logs.FilterMessageSnippet("no connection is set up").All())
		assert.Equal(t, "not_configured", r.settingsNow()["status"])
		for _, path := range []string{"/cloudzero/export", "/cloudzero/test"} {
			status, answer := r.api(http.MethodPost, path, "")
			assert.Equal(t, http.StatusConflict, status)
			assert.Contains(t, answer["detail"].(map[string]any)["error"], "no connection is set up")
		}
		status, _ := r.api(http.MethodPost, "/cloudzero/dry-run", "")
		assert.Equal(t, http.StatusOK, status)

		r.put(goodSettings)
		spend(t, e, noon.Add(3*time.Hour), "a", "2")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1", "11-24T15": "2"}, r.costs())
		assert.Equal(t, componentstatus.StatusOK, r.host.statuses[len(r.host.statuses)-1])
		settings := r.settingsNow()
		assert.Equal(t, "active", settings["status"])
		assert.Equal(t, "console", settings["source"])
		assert.Equal(t, testConnection, settings["connection_id"])

		// A restart finds it.
		require.NoError(t, e.Shutdown(t.Context()))
		e = r.start()
		spend(t, e, noon, "a", "0.5")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1.5", "11-24T15": "2"}, r.costs())
		assert.ElementsMatch(t, []string{setupName, setup.FirstBooks}, slices.Collect(maps.Keys(disks.disks)))
		for name, disk := range disks.disks {
			for key, value := range disk.values {
				assert.NotContains(t, string(value), testKey, "%s/%s", name, key)
			}
		}
		for _, entry := range r.logs.All() {
			assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), testKey)
			assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), testToken)
		}
	})
}

func TestAMistypedConnectionKeepsNothing(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection})
		e := r.start()
		spend(t, e, noon, "a", "1")
		r.put(`{"api_key":"` + testKey + `","connection_id":"mistyped"}`)
		pass(3 * time.Hour)
		assert.Equal(t, "error", r.settingsNow()["status"])
		assert.Contains(t, r.settingsNow()["last_error"], "check CLOUDZERO_CONNECTION_ID")
		// The key stays when only the connection is given.
		answer := r.put(`{"connection_id":"` + testConnection + `"}`)
		assert.NotContains(t, answer, "waiting_for_other_connection")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
		assert.NotContains(t, r.settingsNow(), "other_connections")
	})
}

// TestAMistypedConnectionKeepsNothingOfAKeyThatMayOnlyPost: such a key cannot say
// that the connection is unknown before it posts.
func TestAMistypedConnectionKeepsNothingOfAKeyThatMayOnlyPost(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string][]anycosttest.Scope{
		"nor list": {anycosttest.List}, "nor list and read": {anycosttest.List, anycosttest.Read},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
				r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, Denied: denied})
				r.another("replace_hourly", "24T12", "theirs", "8")
				pass(5 * time.Minute) // into an hour that was not the books' from its beginning
				e := r.start()
				spend(t, e, noon, "a", "1")
				r.put(`{"api_key":"` + testKey + `","connection_id":"mistyped"}`)
				pass(3 * time.Hour)
				answer := r.put(`{"connection_id":"` + testConnection + `"}`)
				assert.NotContains(t, answer, "waiting_for_other_connection")
				pass(3 * time.Hour)
				assert.Equal(t, map[string]string{"11-24T12": "9"}, r.costs(), "with what was there before")
				assert.NotContains(t, r.settingsNow(), "other_connections")
			})
		})
	}
}

// TestAMistypedConnectionInTheConfigurationKeepsNothing either, when it is put
// right and the collector begins again.
func TestAMistypedConnectionInTheConfigurationKeepsNothing(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, disks *disksExtension) {
		r.serve(anycosttest.Config{APIKey: testKey, ConnectionID: testConnection, Denied: []anycosttest.Scope{anycosttest.List}})
		r.another("replace_hourly", "24T12", "theirs", "8")
		pass(5 * time.Minute) // into an hour that was not the books' from its beginning
		r.cfg.APIKey, r.cfg.ConnectionID = testKey, "mistyped"
		e := r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		require.NoError(t, e.Shutdown(t.Context()))

		r.cfg.ConnectionID = testConnection
		e = r.start()
		spend(t, e, noon.Add(3*time.Hour), "a", "2")
		pass(3 * time.Hour)
		want := map[string]string{"11-24T12": "9", "11-24T15": "2"}
		assert.Equal(t, want, r.costs())
		assert.NotContains(t, r.settingsNow(), "other_connections")
		assert.Len(t, disks.disks, 2, "the books, and whose they are")
		require.NoError(t, e.Shutdown(t.Context()))

		r.cfg.ConnectionID = "mistyped" // by now they are not free
		e = r.start()
		spend(t, e, noon, "a", "0.5")
		pass(3 * time.Hour)
		assert.Equal(t, want, r.costs())
		assert.Len(t, disks.disks, 3)
	})
}

func TestAnotherConnectionIsSetUp(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, disks *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		spend(t, e, noon.Add(3*time.Hour), "a", "0.25")

		answer := r.put(otherSettings)
		assert.Equal(t, "0.25", answer["waiting_for_other_connection"])
		assert.Contains(t, answer["message"], "0.25 USD wait until the connection connection-1 is set up again")
		assert.Equal(t, []any{testConnection}, r.settingsNow()["other_connections"])
		spend(t, e, noon.Add(4*time.Hour), "a", "2")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1", "11-24T16": "2"}, r.costs(), "what waits for the other one still waits")
		assert.Contains(t, disks.disks, "books_connection-2")

		r.put(goodSettings)
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1", "11-24T15": "0.25", "11-24T16": "2"}, r.costs())
		// The balance is that of the connection.
		_, balance := r.api(http.MethodGet, "/cloudzero/balance", "")
		assert.Equal(t, "1.25", balance["months"].([]any)[0].(map[string]any)["read"])
		assert.EqualValues(t, 2, r.gauge("hours"), "and so are the metrics")
	})
}

func TestAConnectionIsTakenAway(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		for _, path := range []string{"/cloudzero/settings", "/cloudzero/delete"} {
			status, answer := r.api(http.MethodDelete, path, "")
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, "success", answer["status"])
		}
		spend(t, e, noon.Add(3*time.Hour), "a", "2")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
		assert.Equal(t, "not_configured", r.settingsNow()["status"])

		require.NoError(t, e.Shutdown(t.Context()))
		r.start()
		pass(time.Hour)
		assert.Equal(t, "not_configured", r.settingsNow()["status"], "also after a restart")
		status, answer := r.api(http.MethodPost, "/cloudzero/init", goodSettings) // LiteLLM's name for it
		require.Equal(t, http.StatusOK, status, answer)
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1", "11-24T15": "2"}, r.costs())
	})
}

func TestAnotherTokenCannotReadWhatWasSetUp(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		require.NoError(t, e.Shutdown(t.Context()))

		r.token = "another token, as long"
		e = r.start()
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		assert.Empty(t, r.costs())
		assert.Equal(t, "not_configured", r.settingsNow()["status"])
		assert.Contains(t, r.settingsNow()["problem"], "the console's token has changed")
		_, page := r.askAs(http.MethodGet, "/", "")
		assert.Contains(t, page, "token has changed")
		assert.NotEmpty(t, r.logs.FilterMessageSnippet("Nothing is posted").All())
		require.NoError(t, e.Shutdown(t.Context()))

		r.token = testToken // the old one again
		e = r.start()
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
		require.NoError(t, e.Shutdown(t.Context()))

		r.token = "another token, as long"
		r.start()
		r.put(goodSettings)
		assert.NotContains(t, r.settingsNow(), "problem")
	})
}

func TestTheConfigurationTakesOver(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.start()
		spend(t, e, noon, "a", "1") // before anybody said where to
		require.NoError(t, e.Shutdown(t.Context()))
		r.cfg.APIKey, r.cfg.ConnectionID = testKey, testConnection
		e = r.start()
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs(), "it is the first connection's")
		assert.Equal(t, "configuration", r.settingsNow()["source"])
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			status, answer := r.api(method, "/cloudzero/settings", "")
			want := http.StatusConflict
			if method == http.MethodPut {
				status, answer = r.api(method, "/cloudzero/settings", otherSettings)
			}
			assert.Equal(t, want, status)
			assert.Contains(t, answer["detail"].(map[string]any)["error"], "the configuration has api_key and connection_id")
		}
		require.NoError(t, e.Shutdown(t.Context()))

		// Without them again, the books go on where they are.
		r.cfg.APIKey, r.cfg.ConnectionID = "", ""
		e = r.start()
		spend(t, e, noon, "a", "0.5")
		pass(time.Hour)
		r.put(goodSettings)
		pass(2 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1.5"}, r.costs())
	})
}

func TestSettingsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		r.start()
		for body, want := range map[string]string{
			`{}`:                 "api_key: is empty",
			`{"api_key":"k"}`:    `connection_id: is empty`,
			`{"api_key":"k\n"}`:  "api_key: holds spaces",
			`{"api_key":5}`:      "api_key: expected a text, not a JSON number",
			`{"apikey":"k"}`:     `unknown field "apikey"`,
			`{"api_key":"k"} {}`: "there is more behind the JSON object",
			`{"api_key":"k"`:     "the body is not JSON",
			`["api_key"]`:        "the body is not a JSON object but of type array",
			strings.Replace(goodSettings, "}", `,"timezone":"Mars/Olympus"}`, 1): "timezone: unknown time zone Mars/Olympus",
			strings.Replace(goodSettings, testConnection, "a/b", 1):              `connection_id: "a/b" is not a connection id`,
			`{"api_key":"` + strings.Repeat("k", 70_000) + `"}`:                  "the body is larger than 65536 bytes",
		} {
			status, answer := r.api(http.MethodPut, "/cloudzero/settings", body)
			assert.Contains(t, []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, status)
			assert.Contains(t, answer["detail"].(map[string]any)["error"], want)
		}
		assert.Equal(t, "not_configured", r.settingsNow()["status"])
		r.put(strings.Replace(goodSettings, "}", `,"timezone":"Europe/Berlin"}`, 1))
		assert.Equal(t, "Europe/Berlin", r.settingsNow()["timezone"])
	})
}

func TestNothingIsSetUpInADryRunNorWithoutAToken(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		r.token = ""
		e := r.start()
		status, answer := r.api(http.MethodPut, "/cloudzero/settings", goodSettings)
		assert.Equal(t, http.StatusConflict, status)
		assert.Contains(t, answer["detail"].(map[string]any)["error"], "set console::token first")
		require.NoError(t, e.Shutdown(t.Context()))

		r.cfg.DryRun = true
		r.start()
		status, answer = r.api(http.MethodPut, "/cloudzero/settings", goodSettings)
		assert.Equal(t, http.StatusConflict, status)
		assert.Contains(t, answer["detail"].(map[string]any)["error"], "this is a dry run")
	})
}

// TestASetUpWaitsForTheRoundThatIsUnderWay: what is being posted is neither lost
// nor posted twice, and calls go on being taken.
func TestASetUpWaitsForTheRoundThatIsUnderWay(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		spend(t, e, noon, "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: 30 * time.Second})
		exported := make(chan error)
		go func() {
			_, err := r.last.exports().Export(context.Background(), shipper.Request{})
			exported <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		put := make(chan error)
		go func() {
			_, err := r.last.SetUp(ctx, setup.Credentials{APIKey: testKey, ConnectionID: "connection-2"})
			put <- err
		}()
		synctest.Wait()
		cancel() // who asked for it goes away; it is done all the same
		spend(t, e, noon, "b", "0.5")
		assert.Equal(t, testConnection, r.settingsNow()["connection_id"], "not yet")
		require.NoError(t, <-exported)
		require.NoError(t, <-put)
		assert.Equal(t, "connection-2", r.settingsNow()["connection_id"])
		assert.Equal(t, map[string]string{"11-24T12": "1"}, r.costs())
		assert.Equal(t, []string{"replace_hourly 11-24T12"}, r.posts())
		r.put(goodSettings)
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1.5"}, r.costs())
	})
}

// TestManySetUpsAtOnce: connections are set up and taken away by many while calls
// come in. In the end each call is in the books of exactly one connection.
func TestManySetUpsAtOnce(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		spend(t, e, noon, "first", "1")
		status, _ := r.api(http.MethodPost, "/cloudzero/export", "")
		require.Equal(t, http.StatusOK, status) // these books belong to it for good

		var all sync.WaitGroup
		const calls = 60
		for i := range calls {
			all.Go(func() { spend(t, e, noon, fmt.Sprintf("team-%d", i), "0.5") })
			if i%6 == 0 {
				all.Go(func() { r.put(otherSettings) })
				all.Go(func() { r.put(goodSettings) })
				all.Go(func() { assert.NoError(t, r.last.exports().Forget(context.Background())) })
				all.Go(func() { r.api(http.MethodPost, "/cloudzero/export", "") })
			}
		}
		all.Wait()
		for _, settings := range []string{goodSettings, otherSettings, goodSettings} {
			r.put(settings)
			pass(3 * time.Hour)
		}
		rows := make(map[string]int)
		for _, row := range r.anycost.Rows() {
			rows[row.Tag("team_id")]++
		}
		// The stand-in has one month for all connections, so that an hour of one
		// replaces that of the other: the books are compared instead.
		read := "0"
		for _, settings := range []string{goodSettings, otherSettings} {
			r.put(settings)
			books, _ := r.last.current()
			read = anycosttest.Sum(read, books.Balance().Read().String())
			assert.Equal(t, books.Balance().Read(), books.Balance().Posted())
		}
		assert.Equal(t, anycosttest.Sum("1", "30"), read)
		for team, n := range rows {
			assert.Equal(t, 1, n, team)
		}
	})
}

// TestASetUpThatCannotBeKept leaves everything as it was.
func TestASetUpThatCannotBeKept(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, disks *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		spend(t, e, noon, "a", "1")
		pass(3 * time.Hour)
		require.NoError(t, e.Shutdown(t.Context()))
		failing := &failingSetup{disksExtension: disks}
		r.host.extensions[diskID] = failing
		e = r.start()
		failing.set(errors.New("disk full"))
		for _, body := range []string{otherSettings, goodSettings} {
			status, answer := r.api(http.MethodPut, "/cloudzero/settings", body)
			assert.Equal(t, http.StatusInternalServerError, status)
			assert.Contains(t, answer["detail"].(map[string]any)["error"], "disk full")
		}
		assert.Equal(t, testConnection, r.settingsNow()["connection_id"])
		spend(t, e, noon, "a", "0.5")
		pass(3 * time.Hour)
		assert.Equal(t, map[string]string{"11-24T12": "1.5"}, r.costs(), "it goes on as before")
		failing.set(nil)
		r.put(otherSettings)
	})
}

// failingSetup is a storage whose part for the set-up cannot be written.
type failingSetup struct {
	*disksExtension
	mu  sync.Mutex // guards err
	err error
}

func (f *failingSetup) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *failingSetup) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	client, err := f.disksExtension.GetClient(ctx, kind, id, name)
	if name == setupName {
		return failingClient{client, f}, err
	}
	return client, err
}

type failingClient struct {
	storage.Client
	extension *failingSetup
}

func (f failingClient) Set(ctx context.Context, key string, value []byte) error {
	f.extension.mu.Lock()
	defer f.extension.mu.Unlock()
	if f.extension.err != nil {
		return f.extension.err
	}
	return f.Client.Set(ctx, key, value)
}

func TestAShutdownEndsASetUpThatWaits(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.start()
		r.put(goodSettings)
		spend(t, e, noon, "a", "1")
		r.anycost.Fail(anycosttest.Fault{Method: http.MethodPost, Delay: time.Hour})
		go func() { _, _ = r.last.exports().Export(context.Background(), shipper.Request{}) }()
		synctest.Wait()
		put := make(chan error)
		go func() {
			_, err := r.last.SetUp(context.Background(), setup.Credentials{APIKey: testKey, ConnectionID: "connection-2"})
			put <- err
		}()
		synctest.Wait()
		down := make(chan error)
		begin := time.Now()
		go func() { down <- e.Shutdown(context.Background()) }()
		assert.ErrorIs(t, <-put, shipper.ErrStopped)
		require.NoError(t, <-down)
		assert.Less(t, time.Since(begin), time.Minute, "it does not wait for AnyCost")
		_, err := r.last.SetUp(context.Background(), setup.Credentials{APIKey: testKey, ConnectionID: "connection-2"})
		assert.ErrorIs(t, err, shipper.ErrStopped)
		r.start()
		assert.Equal(t, testConnection, r.settingsNow()["connection_id"])
	})
}

// TestSeriesAreBilledToOneConnectionOnly: a running total goes on while the
// connections change, and what it counts for one is not counted for another.
func TestSeriesAreBilledToOneConnectionOnly(t *testing.T) {
	t.Parallel()
	firstRun(t, func(t *testing.T, r *rig, _ *disksExtension) {
		e := r.startMetrics()
		for i, step := range []struct {
			settings string
			sum      float64 // of the series, ever more
			read     string  // in the books of the connection
		}{
			{goodSettings, 1, "1"},
			{otherSettings, 3, "0"}, // where it began here is not known
			{otherSettings, 7, "4"},
			{goodSettings, 15, "1"}, // and what the other one got meanwhile
			{goodSettings, 31, "17"},
			{otherSettings, 63, "4"},
			{otherSettings, 64, "5"},
		} {
			r.put(step.settings)
			require.NoError(t, e.ConsumeMetrics(t.Context(), spent(noon, time.Now(), "a", step.sum)))
			pass(3 * time.Hour) // posted, so that the books belong to it
			books, _ := r.last.current()
			assert.Equal(t, step.read, books.Balance().Read().String(), "step %d", i)
		}
	})
}
