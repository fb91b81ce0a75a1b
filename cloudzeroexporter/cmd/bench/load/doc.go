// Package load sends traffic of a real LiteLLM to a collector, as fast as it is
// asked to, and knows what must come of it.
//
// Recorded spans are encoded once. Before a request is sent, each of its calls
// becomes a new one: ids, times, team, user and model are written over their
// places in the encoded bytes, so that the sender costs little beside what it
// measures.
package load
