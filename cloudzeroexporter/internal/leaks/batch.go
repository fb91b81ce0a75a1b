package leaks

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// maxBatchModels bounds how many models are told apart in one batch; they are
// looked for one by one. A model left out of one batch is in another.
const maxBatchModels = 64

// Batch is what a detector sees of one batch of spans. It is not safe for
// concurrent use, and ends with [Batch.Done].
type Batch struct {
	d    *Detector
	mask uint64

	sightings     []sighting
	models        []modelCalls
	spans, marked int64 // all that were seen, and those that are marked as sampled
	unjudged      int64
	dialects      counts // columns dialect1 and dialect2
}

// sighting is a span of a trace.
type sighting struct {
	key   uint64
	marks marks
}

type modelCalls struct {
	name   modelName
	counts counts
}

// Watch begins a batch.
func (d *Detector) Watch() *Batch {
	b := d.batches.Get().(*Batch)
	b.d, b.mask = d, d.mask.Load()
	return b
}

// Call sees a model call, whatever becomes of it.
func (b *Batch) Call(r *usage.Record) {
	span := r.Span
	b.see(span, b.spans == 0 && b.lookInto(span))
	if key, found := keyOf(span.TraceID()); found && key&b.mask == 0 {
		m := hasCall
		if span.Kind() == ptrace.SpanKindServer {
			server, _ := marksOf(span)
			m |= server
		}
		b.sight(key, m)
	}
	b.count(r)
}

// Server sees a server span that is no model call.
func (b *Batch) Server(span ptrace.Span) {
	key, found := keyOf(span.TraceID())
	switch {
	case !found:
		return
	case key&b.mask != 0:
		b.unjudged++
		return
	}
	m, sampled := marksOf(span)
	if m&hasRequest != 0 {
		b.see(span, sampled)
	}
	b.sight(key, m)
}

// see counts a span of LiteLLM's.
func (b *Batch) see(span ptrace.Span, sampled bool) {
	b.spans++
	if state := span.TraceState().AsRaw(); sampled || state != "" && isSampledState(state) {
		b.marked++
	}
}

// marksOf says what a server span is to its trace, and whether an attribute marks
// it as sampled.
func marksOf(span ptrace.Span) (m marks, sampled bool) {
	r := requestOf(span)
	if !r.calledAModel(span) {
		return hasServer, r.sampled
	}
	return hasServer | hasRequest, r.sampled
}

// lookInto reads the attributes of one call of a batch, which is like the others,
// and says whether one marks it as sampled.
func (b *Batch) lookInto(span ptrace.Span) (sampled bool) {
	first, second := false, false
	for key, value := range span.Attributes().All() {
		switch key {
		case "hidden_params", "metadata.user_api_key_hash":
			first = true
		case "litellm.call_id":
			second = true
		default:
			sampled = sampled || isSamplingMark(key, value)
		}
	}
	switch {
	case first:
		b.dialects[dialect1]++
	case second:
		b.dialects[dialect2]++
	}
	return sampled
}

func (b *Batch) sight(key uint64, m marks) {
	// The spans of a trace mostly come one after the other.
	if last := len(b.sightings) - 1; last >= 0 && b.sightings[last].key == key {
		b.sightings[last].marks |= m
		return
	}
	b.sightings = append(b.sightings, sighting{key, m})
}

func (b *Batch) count(r *usage.Record) {
	column, counted := columnOf(r)
	if !counted {
		return
	}
	m := b.model(r)
	if m == nil {
		return
	}
	m.counts[allCalls]++
	if column != allCalls {
		m.counts[column]++
	}
}

// model is where the record's model is counted, or nil where there is no room.
func (b *Batch) model(r *usage.Record) *modelCalls {
	for i := range b.models {
		if m := &b.models[i]; m.name.model == r.Model && m.name.provider == r.Provider {
			return m
		}
	}
	if len(b.models) >= maxBatchModels {
		return nil
	}
	b.models = append(b.models, modelCalls{name: modelName{r.Provider, r.Model}})
	return &b.models[len(b.models)-1]
}

// Done ends the batch: the detector takes in what was seen.
func (b *Batch) Done() {
	if b.spans > 0 || b.unjudged > 0 || len(b.sightings) > 0 {
		b.d.take(b, time.Now())
	}
	d := b.d
	clear(b.models) // lets go of the spans' strings
	*b = Batch{sightings: b.sightings[:0], models: b.models[:0]}
	d.batches.Put(b)
}
