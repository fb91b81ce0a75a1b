package usage

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// marks are facts about a span that an attribute's presence alone tells.
type marks uint8

const (
	hasRequestType marks = 1 << iota
	hasHiddenParams
	hasKeyHash
	hasCallID
	hasCostParts // of LiteLLM's parts of a cost, one is not 0
	isProxyRequest
)

// collector is what one span's attributes hold. A number that is absent, or
// the empty string, is the zero number. Strings are not yet cleaned.
type collector struct {
	wanted map[string]int
	other  []string // values of the wanted attributes

	fields
}

// fields are the attributes that the dialects read, by meaning.
type fields struct {
	present marks

	requestType, operation, kind string
	hidden, usageObject          string

	// The candidates for the one cost, in their order of precedence.
	costTotal, costGenAI, costUsage, costLLM number

	input, prompt, output, completion                                   number
	cacheRead, cacheReadOld, cacheWrite, cacheWriteOld                  number
	inferencePrompt, inferenceCompletion, inferenceRead, inferenceWrite number

	providerModel, requestModel, responseModel, modelGroup  string
	system, providerName, inferenceModel, inferenceProvider string
	responseID                                              string

	// Who pays, as the proxy vouches for it; 1 and 2 are LiteLLM's dialects.
	team1, team2, teamAlias1, teamAlias2 string
	key1, key2, keyAlias1, keyAlias2     string
	user1, user2, endUser1, endUser2     string
	org1, org2, project1, project2       string
}

// collect reads the attributes in one pass.
func (c *collector) collect(attributes pcommon.Map) {
	c.fields = fields{}
	clear(c.other)
	for key, value := range attributes.All() {
		if len(c.wanted) > 0 {
			if i, ok := c.wanted[key]; ok {
				c.other[i] = bounded(value.AsString())
			}
		}
		switch {
		case strings.HasPrefix(key, "gen_ai."):
			c.genAIField(key, value)
		case strings.HasPrefix(key, "metadata."):
			c.metadataField(key, value)
		case strings.HasPrefix(key, "litellm."):
			c.liteLLMField(key, value)
		default:
			c.otherField(key, value)
		}
	}
}

func (c *collector) genAIField(key string, value pcommon.Value) {
	switch key {
	case "gen_ai.cost.total_cost":
		c.costGenAI = numberOf(value)
	case "gen_ai.operation.name":
		c.operation = value.Str()
	case "gen_ai.provider.name":
		c.providerName = value.Str()
	case "gen_ai.request.model":
		c.requestModel = value.Str()
	case "gen_ai.response.id":
		c.responseID = value.Str()
	case "gen_ai.response.model":
		c.responseModel = value.Str()
	case "gen_ai.system":
		c.system = value.Str()
	case "gen_ai.usage.cost":
		c.costUsage = numberOf(value)
	case "gen_ai.usage.input_tokens":
		c.input = numberOf(value)
	case "gen_ai.usage.prompt_tokens":
		c.prompt = numberOf(value)
	case "gen_ai.usage.output_tokens":
		c.output = numberOf(value)
	case "gen_ai.usage.completion_tokens":
		c.completion = numberOf(value)
	case "gen_ai.usage.cache_read.input_tokens":
		c.cacheRead = numberOf(value)
	case "gen_ai.usage.cache_read_input_tokens":
		c.cacheReadOld = numberOf(value)
	case "gen_ai.usage.cache_creation.input_tokens":
		c.cacheWrite = numberOf(value)
	case "gen_ai.usage.cache_creation_input_tokens":
		c.cacheWriteOld = numberOf(value)
	}
}

func (c *collector) metadataField(key string, value pcommon.Value) {
	switch key {
	case "metadata.usage_object":
		c.usageObject = value.Str()
	case "metadata.user_api_key_alias":
		c.keyAlias1 = value.Str()
	case "metadata.user_api_key_end_user_id":
		c.endUser1 = value.Str()
	case "metadata.user_api_key_hash":
		c.key1 = value.Str()
		c.present |= hasKeyHash
	case "metadata.user_api_key_org_id":
		c.org1 = value.Str()
	case "metadata.user_api_key_project_id":
		c.project1 = value.Str()
	case "metadata.user_api_key_team_alias":
		c.teamAlias1 = value.Str()
	case "metadata.user_api_key_team_id":
		c.team1 = value.Str()
	case "metadata.user_api_key_user_id":
		c.user1 = value.Str()
	}
}

func (c *collector) liteLLMField(key string, value pcommon.Value) {
	switch key {
	case "litellm.api_key.hash":
		c.key2 = value.Str()
	case "litellm.call_id":
		c.present |= hasCallID
	case "litellm.cost.total":
		c.costTotal = numberOf(value)
	case "litellm.cost.input", "litellm.cost.output", "litellm.cost.original":
		if !numberOf(value).isZero() {
			c.present |= hasCostParts
		}
	case "litellm.metadata.user_api_key_alias":
		c.keyAlias2 = value.Str()
	case "litellm.metadata.user_api_key_end_user_id":
		c.endUser2 = value.Str()
	case "litellm.metadata.user_api_key_org_id":
		c.org2 = value.Str()
	case "litellm.metadata.user_api_key_project_id":
		c.project2 = value.Str()
	case "litellm.metadata.user_api_key_user_id":
		c.user2 = value.Str()
	case "litellm.model_group":
		c.modelGroup = value.Str()
	case "litellm.provider.model":
		c.providerModel = value.Str()
	case "litellm.request.route":
		c.present |= isProxyRequest
	case "litellm.team.alias":
		c.teamAlias2 = value.Str()
	case "litellm.team.id":
		c.team2 = value.Str()
	}
}

func (c *collector) otherField(key string, value pcommon.Value) {
	switch key {
	case "hidden_params":
		c.hidden = value.Str()
		c.present |= hasHiddenParams
	case "llm.request.type":
		c.requestType = value.Str()
		c.present |= hasRequestType
	case "llm.cost.total":
		c.costLLM = numberOf(value)
	case "llm.model_name":
		c.inferenceModel = value.Str()
	case "llm.provider":
		c.inferenceProvider = value.Str()
	case "llm.token_count.completion":
		c.inferenceCompletion = numberOf(value)
	case "llm.token_count.prompt":
		c.inferencePrompt = numberOf(value)
	case "llm.token_count.prompt_details.cache_read":
		c.inferenceRead = numberOf(value)
	case "llm.token_count.prompt_details.cache_write":
		c.inferenceWrite = numberOf(value)
	case "openinference.span.kind":
		c.kind = value.Str()
	}
}

// maxStringBytes bounds what a name may hold: nobody's name is longer, and a
// row shows every one of them.
const maxStringBytes = 256

// bounded returns s as valid UTF-8 of at most maxStringBytes.
func bounded(s string) string {
	if len(s) > maxStringBytes {
		s = s[:maxStringBytes]
		// A character that was cut goes; one that was broken before stays to be replaced.
		for i := 1; i <= utf8.UTFMax && i <= len(s); i++ {
			if b := s[len(s)-i]; utf8.RuneStart(b) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	if utf8.ValidString(s) {
		return s
	}
	return bounded(strings.ToValidUTF8(s, "�"))
}

// first returns the first of the values that is not empty, bounded.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return bounded(v)
		}
	}
	return ""
}
