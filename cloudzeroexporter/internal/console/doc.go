// Package console serves what people ask of the exporter: what would be posted,
// and to post it now. Its paths and bodies are those of LiteLLM's own CloudZero
// endpoints, so that scripts carry over:
// https://docs.litellm.ai/docs/observability/cloudzero.
package console
