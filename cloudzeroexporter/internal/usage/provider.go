package usage

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// deployment is the provider, by LiteLLM's name for it, and the model that was
// really called.
func (c *collector) deployment() (provider, model string) {
	if prefix, rest, found := strings.Cut(c.text(fieldProviderModel), "/"); found && prefix != "" && rest != "" {
		return prefix, rest
	}
	return liteLLMName(c.firstText(fieldSystem, fieldProviderName)),
		c.firstText(fieldProviderModel, fieldRequestModel, fieldResponseModel)
}

// liteLLMName turns a provider's name by OpenTelemetry's conventions back into
// LiteLLM's, so that both dialects give one provider.
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
func liteLLMName(provider string) string {
	switch provider {
	case "aws.bedrock":
		return "bedrock"
	case "azure.ai.openai":
		return "azure"
	case "azure.ai.inference":
		return "azure_ai"
	case "gcp.vertex_ai":
		return "vertex_ai"
	case "gcp.gemini":
		return "gemini"
	case "mistral_ai":
		return "mistral"
	case "x_ai":
		return "xai"
	case "ibm.watsonx.ai":
		return "watsonx"
	default:
		return provider
	}
}

// guessProvider finds the provider of a call that does not name it, as
// releases before mid 2026 do not for embeddings, images, the Responses API and
// /v1/messages.
func (c *collector) guessProvider(hidden hiddenParams, model string) string {
	if provider, rest, found := strings.Cut(hidden.modelName, "/"); found && rest == model {
		return provider
	}
	if provider := providerInResponseID(c.text(fieldResponseID)); provider != "" {
		return provider
	}
	if c.text(fieldRequestType) == "anthropic_messages" {
		return providerOfModel(model, hidden.apiBase)
	}
	return ""
}

var openAIModels = regexp.MustCompile(`^(gpt-|chatgpt-|o[1-9](-|$)|text-embedding-|dall-e-|tts-|whisper-|sora-|omni-moderation|text-moderation)`)

// providerOfModel knows who sells models that LiteLLM does not name the provider
// of.
func providerOfModel(model, apiBase string) string {
	switch {
	case strings.HasPrefix(model, "claude-"):
		return "anthropic"
	case !openAIModels.MatchString(model):
		return ""
	case strings.Contains(apiBase, ".azure.com"):
		return "azure"
	default:
		return "openai"
	}
}

// providerInResponseID reads the provider out of the ids that LiteLLM gives to
// answers of the Responses API: resp_ and, in base64,
// litellm:custom_llm_provider:openai;model_id:…;response_id:….
func providerInResponseID(id string) string {
	encoded, found := strings.CutPrefix(id, "resp_")
	if !found {
		return ""
	}
	const most = 256 // of base64's characters; what is sought comes first
	encoded = encoded[:min(len(encoded), most)&^3]
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return ""
	}
	rest, found := strings.CutPrefix(string(text), "litellm:custom_llm_provider:")
	if !found {
		return ""
	}
	provider, _, _ := strings.Cut(rest, ";")
	return provider
}
