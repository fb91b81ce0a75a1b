// Package usage reads usage records out of spans: which span is a model call,
// what it cost, who pays and in which hour. It knows LiteLLM's dialects and, if
// asked, those of other instrumentations.
//
// LiteLLM documents its attributes at
// https://docs.litellm.ai/docs/observability/opentelemetry_integration.
package usage
