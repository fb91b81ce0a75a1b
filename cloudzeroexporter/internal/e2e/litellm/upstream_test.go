package litellm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// plan is what a prompt asks of the fake provider: the prompt is a plan as JSON.
type plan struct {
	In         int `json:"in"`
	Out        int `json:"out"`
	Cached     int `json:"cached,omitempty"`      // of In; for Anthropic beside it
	CacheWrite int `json:"cache_write,omitempty"` // Anthropic only
	Reasoning  int `json:"reasoning,omitempty"`   // of Out

	Chunks int           `json:"chunks,omitempty"` // of a stream; 0 means 3
	Gap    time.Duration `json:"gap,omitempty"`    // before the answer and before each chunk

	Fail  int    `json:"fail,omitempty"`  // the status of the failure; 0 means success
	Times int    `json:"times,omitempty"` // how often it fails; 0 means always
	Name  string `json:"name,omitempty"`  // what Times counts
}

// prompt is the plan as the text of a message.
func (p plan) prompt() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // a plan has nothing that JSON lacks
	}
	return string(text)
}

// provider answers as OpenAI, Azure OpenAI and Anthropic do, with the token
// counts that its prompts ask for. It is safe for concurrent use.
type provider struct {
	answers atomic.Int64 // makes response ids

	mu       sync.Mutex     // guards failures
	failures map[string]int // by the plan's name
}

// question is what the fake reads of a request, of whichever API.
type question struct {
	Model    string    `json:"model"`
	Stream   bool      `json:"stream"`
	Messages []message `json:"messages"`
	Input    any       `json:"input"` // of embeddings and the Responses API
	Options  struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Content any `json:"content"`
}

// ServeHTTP implements [http.Handler].
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q question
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	if err := json.Unmarshal(body, &q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	wanted := q.plan()
	if status := p.failing(wanted); status != 0 {
		w.Header().Set("Retry-After", "0")
		answer(w, status, `{"error":{"message":"the fake provider fails as asked","type":"fake","code":"%d"}}`, status)
		return
	}
	time.Sleep(wanted.Gap) // a slow provider is part of the world, not of the test's logic
	n := p.answers.Add(1)
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/chat/completions") && q.Stream:
		streamChat(w, q, wanted, n)
	case strings.HasSuffix(path, "/chat/completions"):
		answer(w, http.StatusOK, `{"id":"chatcmpl-fake%d","object":"chat.completion","created":%d,"model":%q,"choices":[{"index":0,`+
			`"finish_reason":"stop","message":{"role":"assistant","content":"ok"}}],"usage":%s}`, n, now(), q.model(), wanted.openAI())
	case strings.HasSuffix(path, "/embeddings"):
		answer(w, http.StatusOK, `{"object":"list","model":%q,"data":[{"object":"embedding","index":0,"embedding":[0.25,0.5]}],`+
			`"usage":{"prompt_tokens":%d,"total_tokens":%[2]d}}`, q.model(), len(fmt.Sprint(q.Input)))
	case strings.HasSuffix(path, "/images/generations"):
		answer(w, http.StatusOK, `{"created":%d,"data":[{"b64_json":"aGk="}]}`, now())
	case strings.HasSuffix(path, "/responses") && q.Stream:
		streamResponses(w, q, wanted, n)
	case strings.HasSuffix(path, "/responses"):
		answer(w, http.StatusOK, "%s", wanted.response(q, n))
	case strings.HasSuffix(path, "/messages") && q.Stream:
		streamAnthropic(w, q, wanted, n)
	case strings.HasSuffix(path, "/messages"):
		answer(w, http.StatusOK, `{"id":"msg_fake%d","type":"message","role":"assistant","model":%q,"content":[{"type":"text","text":"ok"}],`+
			`"stop_reason":"end_turn","stop_sequence":null,"usage":%s}`, n, q.model(), wanted.anthropic(wanted.Out))
	default:
		answer(w, http.StatusNotFound, `{"error":{"message":"the fake provider has no %s"}}`, path)
	}
}

func (q question) model() string { return cmp.Or(q.Model, "of-the-deployment") } // Azure has it in the path

// plan is what the last message, or the input, asks for.
func (q question) plan() plan {
	p := plan{In: 10, Out: 5}
	if len(q.Messages) > 0 {
		p.readFrom(q.Messages[len(q.Messages)-1].Content)
	}
	p.readFrom(q.Input)
	return p
}

// readFrom looks for a plan in a text, or in the texts of a list of parts or
// messages. Any other prompt is answered too.
func (p *plan) readFrom(content any) {
	switch c := content.(type) {
	case string:
		_ = json.Unmarshal([]byte(c), p)
	case []any:
		for _, part := range c {
			p.readFrom(part)
		}
	case map[string]any:
		p.readFrom(c["content"])
		p.readFrom(c["text"])
	}
}

// failing is the status with which the plan fails now, or 0.
func (p *provider) failing(wanted plan) int {
	if wanted.Fail == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures == nil {
		p.failures = make(map[string]int)
	}
	p.failures[wanted.Name]++
	if wanted.Times > 0 && p.failures[wanted.Name] > wanted.Times {
		return 0
	}
	return wanted.Fail
}

func (p plan) openAI() string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d},`+
		`"completion_tokens_details":{"reasoning_tokens":%d}}`, p.In, p.Out, p.In+p.Out, p.Cached, p.Reasoning)
}

func (p plan) anthropic(out int) string {
	return fmt.Sprintf(`{"input_tokens":%d,"output_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d}`,
		p.In, out, p.Cached, p.CacheWrite)
}

func (p plan) response(q question, n int64) string {
	return fmt.Sprintf(`{"id":"resp_fake%d","object":"response","created_at":%d,"status":"completed","model":%q,"error":null,`+
		`"incomplete_details":null,"instructions":null,"metadata":{},"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto",`+
		`"tools":[],"top_p":1.0,"output":[{"type":"message","id":"msg_fake%[1]d","status":"completed","role":"assistant",`+
		`"content":[{"type":"output_text","text":"ok","annotations":[]}]}],"usage":{"input_tokens":%[4]d,`+
		`"input_tokens_details":{"cached_tokens":%d},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}}`,
		n, now(), q.model(), p.In, p.Cached, p.Out, p.Reasoning, p.In+p.Out)
}

func now() int64 { return time.Now().Unix() }

func answer(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format, args...) // who is gone needs no answer
}
