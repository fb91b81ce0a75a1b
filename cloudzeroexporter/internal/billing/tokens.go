package billing

// MaxTokens is the largest token count that is believed of one call. A larger
// one is not a count but a mistake, and sums of believed counts never overflow.
const MaxTokens = 10_000_000_000

// Tokens are token counts of one call, or of many. CacheRead and CacheWrite
// are parts of Input, as LiteLLM counts them.
type Tokens struct {
	Input, Output         uint64
	CacheRead, CacheWrite uint64
}

// Total is what a usage amount shows: input and output.
func (t Tokens) Total() uint64 { return t.Input + t.Output }

// Add returns the sum of both counts.
func (t Tokens) Add(o Tokens) Tokens {
	return Tokens{t.Input + o.Input, t.Output + o.Output, t.CacheRead + o.CacheRead, t.CacheWrite + o.CacheWrite}
}

// Sub returns t less o, which is a part of it.
func (t Tokens) Sub(o Tokens) Tokens {
	return Tokens{t.Input - o.Input, t.Output - o.Output, t.CacheRead - o.CacheRead, t.CacheWrite - o.CacheWrite}
}
