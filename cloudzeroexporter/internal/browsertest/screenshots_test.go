package browsertest

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/anycosttest"
)

// TestScreenshots writes pictures of the page to the folder SCREENSHOTS, for
// people to look at; with WHOLE=1 the whole page, too.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	s := newStage(t, "", anycosttest.Config{})
	week(s)
	_, err := s.Export(t.Context())
	require.NoError(t, err)
	late := time.Now().Truncate(time.Hour).Add(-5 * time.Hour)
	s.send(spent(late, 5000, "search", "Search", "openai/gpt-4o", "0.75"), spent(time.Now(), 5001, "search", "Search", "openai/gpt-4o", "1.25"))
	b := newTab(t, s.Console)
	for _, shot := range []struct {
		name, scheme string
		width        int64
		height       int64
	}{{"light", "light", 1200, 1250}, {"dark", "dark", 1200, 1250}, {"phone", "light", 390, 1250}} {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: shot.scheme}},
		})
		b.do(chromedp.EmulateViewport(shot.width, shot.height))
		b.open("http://" + s.Console + "/?group_by=team&per=hour&days=7")
		b.until(`document.querySelector("#chart canvas") !== null`)
		require.LessOrEqual(t, eval[int64](b, `document.documentElement.scrollWidth`), shot.width, "the page is not wider than the screen")
		top := get(b, chromedp.CaptureScreenshot())
		require.NoError(t, os.WriteFile(filepath.Join(folder, shot.name+".png"), top, 0o644))
		if os.Getenv("WHOLE") != "" {
			require.NoError(t, os.WriteFile(filepath.Join(folder, shot.name+"-whole.png"), get(b, chromedp.FullScreenshot(100)), 0o644))
		}
	}
}

// week is a week of a company's calls, more by day than by night.
func week(s *stage) {
	teams := []struct{ id, alias, model string }{
		{"search", "Search", "openai/gpt-4o"},
		{"support", "Support", "anthropic/claude-sonnet-4-5"},
		{"ads", "Ads", "openai/gpt-4o-mini"},
		{"research", "Research", "bedrock/amazon.nova-pro"},
		{"mobile", "Mobile", "azure/gpt-4o"},
	}
	now := time.Now().UTC().Truncate(time.Hour)
	for h := range 7 * 24 {
		at := now.Add(-time.Duration(h+1) * time.Hour)
		day := 1 + math.Sin(float64(at.Hour()-9)/24*2*math.Pi)
		for i, team := range teams {
			cents := int((day*40+5)*float64(len(teams)-i)) + (h*7+i*13)%29
			s.send(spent(at.Add(time.Duration(i)*time.Minute), uint16(h*len(teams)+i), team.id, team.alias, team.model, strconv.Itoa(cents/100)+"."+strconv.Itoa(cents%100 + 100)[1:]+"042"))
		}
	}
	s.send(spent(now.Add(-2*time.Hour), 5002, "legal", "Legal", "openai/gpt-4o", "3.5"), spent(now.Add(-3*time.Hour), 5003, "research", "Research", "ollama/llama3.3", ""))
}
