package litellm

import (
	"cmp"
	"fmt"
	"net/http"
	"time"
)

// events writes server-sent events, each at once.
type events struct{ http.ResponseWriter }

func newEvents(w http.ResponseWriter) events {
	w.Header().Set("Content-Type", "text/event-stream")
	return events{w}
}

// data sends an event without a name.
func (e events) data(format string, args ...any) {
	_, _ = fmt.Fprintf(e, "data: "+format+"\n\n", args...) // who hung up misses it
	if f, ok := e.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// event sends a named event.
func (e events) event(name, format string, args ...any) {
	_, _ = fmt.Fprintf(e, "event: %s\n", name)
	e.data(`{"type":%q`+format+`}`, append([]any{name}, args...)...)
}

// chunks calls send for each chunk of the plan, in its pace.
func (p plan) chunks(send func()) {
	for range cmp.Or(p.Chunks, 3) {
		send()
		time.Sleep(p.Gap)
	}
}

func streamChat(w http.ResponseWriter, q question, p plan, n int64) {
	e := newEvents(w)
	const chunk = `{"id":"chatcmpl-fake%d","object":"chat.completion.chunk","created":%d,"model":%q,"choices":[%s]%s}`
	send := func(choice, usage string) { e.data(chunk, n, now(), q.model(), choice, usage) }
	p.chunks(func() {
		send(`{"index":0,"delta":{"role":"assistant","content":"word "},"finish_reason":null}`, "")
	})
	send(`{"index":0,"delta":{},"finish_reason":"stop"}`, "")
	if q.Options.IncludeUsage {
		send("", `,"usage":`+p.openAI())
	}
	e.data("[DONE]")
}

func streamResponses(w http.ResponseWriter, q question, p plan, n int64) {
	e := newEvents(w)
	e.event("response.created", `,"response":%s`, p.response(q, n))
	p.chunks(func() {
		e.event("response.output_text.delta", `,"item_id":"msg_fake%d","output_index":0,"content_index":0,"delta":"word "`, n)
	})
	e.event("response.completed", `,"response":%s`, p.response(q, n))
}

func streamAnthropic(w http.ResponseWriter, q question, p plan, n int64) {
	e := newEvents(w)
	e.event("message_start", `,"message":{"id":"msg_fake%d","type":"message","role":"assistant","model":%q,"content":[],`+
		`"stop_reason":null,"stop_sequence":null,"usage":%s}`, n, q.model(), p.anthropic(1))
	e.event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	p.chunks(func() {
		e.event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"word "}`)
	})
	e.event("content_block_stop", `,"index":0`)
	e.event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":%d}`, p.Out)
	e.event("message_stop", "")
}
