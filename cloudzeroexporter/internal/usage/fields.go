package usage

// field is an attribute that the dialects read, by meaning.
type field uint8

const (
	fieldRequestType field = iota
	fieldOperation
	fieldKind
	fieldHidden
	fieldUsageObject

	// The candidates for the one cost.
	fieldCostTotal
	fieldCostGenAI
	fieldCostUsage
	fieldCostLLM
	// LiteLLM's parts of a cost.
	fieldCostInput
	fieldCostOutput
	fieldCostOriginal

	fieldInput
	fieldPrompt
	fieldOutput
	fieldCompletion
	fieldCacheRead
	fieldCacheReadOld
	fieldCacheWrite
	fieldCacheWriteOld
	fieldInferencePrompt
	fieldInferenceCompletion
	fieldInferenceRead
	fieldInferenceWrite

	fieldCallID
	fieldRoute
	fieldResponseID
	fieldProviderModel
	fieldRequestModel
	fieldResponseModel
	fieldModelGroup
	fieldSystem
	fieldProviderName
	fieldInferenceModel
	fieldInferenceProvider

	// Who pays, as the proxy vouches for it; 1 and 2 are LiteLLM's dialects.
	fieldTeam1
	fieldTeam2
	fieldTeamAlias1
	fieldTeamAlias2
	fieldKey1
	fieldKey2
	fieldKeyAlias1
	fieldKeyAlias2
	fieldUser1
	fieldUser2
	fieldEndUser1
	fieldEndUser2
	fieldOrganization1
	fieldOrganization2
	fieldProject1
	fieldProject2

	fields // their number, at most 63
)

// maxFields is such that a field is in range when it is cut to six bits. The last
// one is where attributes go that are no field.
const (
	maxFields       = 64
	noneField field = maxFields - 1

	_ = uint(noneField - fields) // does not compile when there are too many
)

var fieldNames = [fields]string{
	fieldRequestType: "llm.request.type",
	fieldOperation:   "gen_ai.operation.name",
	fieldKind:        "openinference.span.kind",
	fieldHidden:      "hidden_params",
	fieldUsageObject: "metadata.usage_object",

	fieldCostTotal:    "litellm.cost.total",
	fieldCostGenAI:    "gen_ai.cost.total_cost",
	fieldCostUsage:    "gen_ai.usage.cost",
	fieldCostLLM:      "llm.cost.total",
	fieldCostInput:    "litellm.cost.input",
	fieldCostOutput:   "litellm.cost.output",
	fieldCostOriginal: "litellm.cost.original",

	fieldInput:               "gen_ai.usage.input_tokens",
	fieldPrompt:              "gen_ai.usage.prompt_tokens",
	fieldOutput:              "gen_ai.usage.output_tokens",
	fieldCompletion:          "gen_ai.usage.completion_tokens",
	fieldCacheRead:           "gen_ai.usage.cache_read.input_tokens",
	fieldCacheReadOld:        "gen_ai.usage.cache_read_input_tokens",
	fieldCacheWrite:          "gen_ai.usage.cache_creation.input_tokens",
	fieldCacheWriteOld:       "gen_ai.usage.cache_creation_input_tokens",
	fieldInferencePrompt:     "llm.token_count.prompt",
	fieldInferenceCompletion: "llm.token_count.completion",
	fieldInferenceRead:       "llm.token_count.prompt_details.cache_read",
	fieldInferenceWrite:      "llm.token_count.prompt_details.cache_write",

	fieldCallID:            "litellm.call_id",
	fieldRoute:             "litellm.request.route",
	fieldResponseID:        "gen_ai.response.id",
	fieldProviderModel:     "litellm.provider.model",
	fieldRequestModel:      "gen_ai.request.model",
	fieldResponseModel:     "gen_ai.response.model",
	fieldModelGroup:        "litellm.model_group",
	fieldSystem:            "gen_ai.system",
	fieldProviderName:      "gen_ai.provider.name",
	fieldInferenceModel:    "llm.model_name",
	fieldInferenceProvider: "llm.provider",

	fieldTeam1:         "metadata.user_api_key_team_id",
	fieldTeam2:         "litellm.team.id",
	fieldTeamAlias1:    "metadata.user_api_key_team_alias",
	fieldTeamAlias2:    "litellm.team.alias",
	fieldKey1:          "metadata.user_api_key_hash",
	fieldKey2:          "litellm.api_key.hash",
	fieldKeyAlias1:     "metadata.user_api_key_alias",
	fieldKeyAlias2:     "litellm.metadata.user_api_key_alias",
	fieldUser1:         "metadata.user_api_key_user_id",
	fieldUser2:         "litellm.metadata.user_api_key_user_id",
	fieldEndUser1:      "metadata.user_api_key_end_user_id",
	fieldEndUser2:      "litellm.metadata.user_api_key_end_user_id",
	fieldOrganization1: "metadata.user_api_key_org_id",
	fieldOrganization2: "litellm.metadata.user_api_key_org_id",
	fieldProject1:      "metadata.user_api_key_project_id",
	fieldProject2:      "litellm.metadata.user_api_key_project_id",
}

// partOf says which part of a record the fields are that can be skipped.
var partOf = [fields]Parts{
	fieldKeyAlias1: APIKeyAlias, fieldKeyAlias2: APIKeyAlias,
	fieldEndUser1: EndUser, fieldEndUser2: EndUser,
	fieldModelGroup:    ModelGroup,
	fieldOrganization1: Organization, fieldOrganization2: Organization,
	fieldProject1: Project, fieldProject2: Project,
}

// attribute is what is known of an attribute's name: the field that it is, and
// which of the wanted ones.
type attribute struct {
	name   string
	bit    uint64 // of its field; 0: it is none
	field  field  // noneField: none
	wanted int32  // its index among the wanted attributes, or -1
}

// attributeIndex finds an attribute by its name, in the slot that its length and
// two of its letters give. Nearly every name has a slot of its own, and most of
// the names that mean nothing here meet an empty one.
type attributeIndex [256][]attribute

func newAttributeIndex(wanted []string, skip Parts) *attributeIndex {
	x := new(attributeIndex)
	for f, name := range fieldNames {
		if partOf[f]&skip != 0 {
			continue
		}
		x.put(attribute{name, 1 << f, field(f), -1})
	}
	for i, name := range wanted {
		if a := x.find(name); a != nil {
			a.wanted = int32(i)
		} else {
			x.put(attribute{name, 0, noneField, int32(i)})
		}
	}
	return x
}

func slotOf(name string) uint8 {
	n := len(name)
	if n < 2 {
		return uint8(n)
	}
	return uint8(n)*15 + name[n-2]*61 + name[n/2] //nolint:gosec // it may wrap around
}

func (x *attributeIndex) put(a attribute) {
	slot := slotOf(a.name)
	x[slot] = append(x[slot], a)
}

// find returns what is known of a name, or nil.
func (x *attributeIndex) find(name string) *attribute {
	slot := x[slotOf(name)]
	for i := range slot {
		if slot[i].name == name {
			return &slot[i]
		}
	}
	return nil
}
