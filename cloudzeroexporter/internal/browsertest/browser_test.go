package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tab is a tab of a headless Chromium that watches what a page does.
type tab struct {
	t         *testing.T
	ctx       context.Context //nolint:containedctx // chromedp keeps the browser in it
	downloads string
	finished  chan string // names of downloads

	mu         sync.Mutex // guards everything below
	complaints []string   // of the browser: errors, and what the policy blocked
	foreign    []string   // requests to elsewhere
}

// newTab opens a tab that may ask the address only; it ends with the test.
func newTab(t *testing.T, address string, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1200, 900))
	options = append(options, flags...)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx)) // starts the browser
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, downloads: t.TempDir(), finished: make(chan string, 8)}
	require.NoError(t, chromedp.Listen(ctx, func(event any) { b.watch(address, event) }))
	require.NoError(t, chromedp.ListenBrowser(ctx, func(event any) {
		if e, ok := event.(*browser.EventDownloadProgress); ok && e.State == browser.DownloadProgressStateCompleted {
			b.finished <- e.GUID
		}
	}))
	call(b, log.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	events := true
	_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: b.downloads, EventsEnabled: &events,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Empty(t, b.complaints, "the browser complains")
		assert.Empty(t, b.foreign, "requests to other addresses")
	})
	return b
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium; on Debian: apt-get install -y chromium")
	return ""
}

// watch keeps what the browser complains of, and what is asked of others.
func (b *tab) watch(address string, event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" && !strings.Contains(e.Entry.Text, "status of 4") { // refusals are tested for
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		url := e.Request.URL
		if !strings.HasPrefix(url, "http://"+address) && !strings.HasPrefix(url, "blob:http://"+address) {
			b.foreign = append(b.foreign, url)
		}
	}
}

func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, command, params)
	require.NoError(b.t, err)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

func (b *tab) open(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// ready waits until the page's scripts have begun.
func (b *tab) ready() {
	b.t.Helper()
	b.until(`document.documentElement.matches(".script")`)
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// fill replaces what is in a field by what is typed.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	eval[string](b, "document.querySelector(`"+selector+"`).value = ''")
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

func get[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, action)
	require.NoError(b.t, err)
	return value
}

// eval is the value of an expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	return get(b, chromedp.Evaluate[T](expression))
}

// text is the visible text of what the selector finds.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(eval[string](b, "document.querySelector(`"+selector+"`).innerText"))
}

// until waits until the expression is true, on this page or on the next.
func (b *tab) until(expression string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && is
	}, 30*time.Second, 50*time.Millisecond, expression)
}

// says waits until the element says so.
func (b *tab) says(id, text string) {
	b.t.Helper()
	b.until(`(document.getElementById("` + id + `")?.textContent ?? "").includes("` + text + `")`)
}

// column is the texts of a table's column.
func (b *tab) column(table, index string) []string {
	b.t.Helper()
	return eval[[]string](b, `[...document.querySelectorAll("`+table+` tbody tr")].map((row) => row.cells[`+index+`].textContent.trim())`)
}

// downloaded clicks on what starts a download, and returns the file's content.
func (b *tab) downloaded(selector string) string {
	b.t.Helper()
	b.click(selector)
	select {
	case name := <-b.finished:
		content, err := os.ReadFile(filepath.Join(b.downloads, name))
		require.NoError(b.t, err)
		return string(content)
	case <-b.ctx.Done():
		require.Fail(b.t, "no download")
		return ""
	}
}
