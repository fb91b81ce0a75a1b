package billing

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHourIsUTC(t *testing.T) {
	t.Parallel()
	india := time.FixedZone("India", 5*3600+1800)
	at := time.Date(2026, 12, 1, 4, 29, 59, 0, india) // 22:59:59 UTC the day before
	h := HourOf(at)
	assert.Equal(t, "2026-11-30T22:00:00Z", h.String())
	assert.Equal(t, "2026-11", h.Month().String())
	assert.Equal(t, "2026-12", MonthOf((h + 2).Start()).String())
	assert.Equal(t, h, HourOfNanos(uint64(at.UnixNano())))
	assert.Equal(t, (h + 1).Start(), h.End())
	assert.Equal(t, Hour(-1), HourOf(time.Unix(-1, 0)))
}

func TestMonthBegins(t *testing.T) {
	t.Parallel()
	for _, month := range []time.Time{
		time.Date(2024, 2, 29, 23, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC), time.Unix(0, 0),
	} {
		m := MonthOf(month)
		first := m.First()
		assert.Equal(t, m, first.Month())
		assert.NotEqual(t, m, (first - 1).Month())
	}
}

func TestParseHourReadsWhatStringPrints(t *testing.T) {
	t.Parallel()
	h := HourOf(time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC))
	got, err := ParseHour(h.String())
	require.NoError(t, err)
	assert.Equal(t, h, got)
	for _, wrong := range []string{"2026-11-24T14:30:00Z", "2026-11-24", "yesterday", ""} {
		_, err = ParseHour(wrong)
		assert.EqualError(t, err, strconv.Quote(wrong)+" is not a full hour such as 2026-11-24T14:00:00Z")
	}
}
