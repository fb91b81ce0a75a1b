package litellm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// driver is the clients of a proxy. Its choices follow from its seed.
type driver struct {
	t      *testing.T
	w      *world
	url    string
	random *rand.Rand
	client *http.Client

	mu       sync.Mutex // guards answered
	answered []answered // what LiteLLM has not told of yet
}

// answered is a call that LiteLLM answered with success.
type answered struct{ id, path string }

// newDriver has the seed of $SEED, else of the clock, and prints it.
func (w *world) newDriver(url string) *driver {
	w.t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(w.t, err)
	}
	w.t.Logf("SEED=%d", seed)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	w.t.Cleanup(client.CloseIdleConnections)
	return &driver{t: w.t, w: w, url: url, random: rand.New(rand.NewPCG(seed, 0)), client: client}
}

// send sends an ask and reads the answer, which may be an error of any kind: what
// LiteLLM says of it elsewhere is what counts.
func (d *driver) send(a ask) {
	body, err := json.Marshal(a.body)
	require.NoError(d.t, err)
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+a.path, bytes.NewReader(body))
	require.NoError(d.t, err)
	request.Header.Set("Authorization", "Bearer "+a.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(request)
	if err != nil {
		return // LiteLLM is away
	}
	defer func() { _ = response.Body.Close() }()
	if a.hangUp {
		_, _ = io.ReadAtLeast(response.Body, make([]byte, 512), 512)
		return // some releases never tell of it
	}
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		return // LiteLLM went away
	}
	if id := response.Header.Get("X-Litellm-Call-Id"); response.StatusCode == http.StatusOK && id != "" {
		d.mu.Lock()
		d.answered = append(d.answered, answered{id, a.path})
		d.mu.Unlock()
	}
}

// choose completes asks: who is not named is chosen.
func (d *driver) choose(asks []ask) []ask {
	for i := range asks {
		if asks[i].key == "" {
			asks[i].key = keys[d.random.IntN(len(keys))]
		}
	}
	return asks
}

// sendAll sends asks, so many at a time, in a random order.
func (d *driver) sendAll(asks []ask, atOnce int) {
	asks = d.choose(asks)
	d.random.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
	next := make(chan ask)
	var clients sync.WaitGroup
	for range atOnce {
		clients.Go(func() {
			for a := range next {
				d.send(a)
			}
		})
	}
	for _, a := range asks {
		next <- a
	}
	close(next)
	clients.Wait()
}

// repeat sends the same ask again and again, each time after LiteLLM has told of
// the one before, so that its response cache has it.
func (d *driver) repeat(a ask, times int) {
	d.t.Helper()
	for range times {
		d.send(a)
		d.settled()
	}
}

// everything is the whole mix.
func (d *driver) everything(crowded int) {
	d.t.Helper()
	d.sendAll(mixed(d.random), 1)
	d.sendAll(troubled(d.random), 2)
	d.repeat(chat("cheap-chat", tokens(d.random)).by(keys[0]), 3)
	d.repeat(chat("smart-chat", tokens(d.random)).stream().by(keys[1]), 4)
	d.repeat(chat("claude", tokens(d.random)).streamWithUsage().by(keys[3]), 3)
	d.repeat(embed("a text that is asked for again").by(keys[2]), 3)
	d.sendAll(append(crowd(d.random, crowded), mixed(d.random)...), 8)
}

// maxForgotten is the share of calls that LiteLLM may answer and then forget, in
// its own records too: seen once, in 1.108.7 with nothing set.
const maxForgotten = 0.02

// settled waits until LiteLLM has told of all calls that it answered. One that it
// never tells of is not in the truth either.
func (d *driver) settled() {
	d.t.Helper()
	d.mu.Lock()
	all := len(d.answered)
	d.mu.Unlock()
	err := within(d.t, time.Minute, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.answered = slices.DeleteFunc(d.answered, func(a answered) bool { return d.w.told(a.id) })
		if len(d.answered) > 0 {
			return fmt.Errorf("not of %v", d.answered)
		}
		return nil
	})
	if err == nil {
		return
	}
	d.t.Logf("LiteLLM does not tell of all calls: %v", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	require.LessOrEqual(d.t, float64(len(d.answered)), maxForgotten*float64(all), "%v", err)
}

// eventually tries until there is no error, and fails with the last one.
func eventually(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	require.NoError(t, within(t, limit, try), what)
}

// within tries until there is no error, or the time is over; then it returns the
// last one.
func within(t *testing.T, limit time.Duration, try func() error) error {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		err := try()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-t.Context().Done():
			return t.Context().Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
