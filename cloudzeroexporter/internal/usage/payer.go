package usage

import (
	"cmp"
	"strings"

	"github.com/tidwall/gjson"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/billing"
)

// payer is who pays for what, as a point's attributes tell it.
type payer struct {
	system, providerName, providerModel, requestModel, responseModel string
	modelGroup, hidden                                               string
	team, teamAlias, key, keyAlias, user, endUser, org, project      string
}

// collect reads the attributes in one pass. What the proxy vouches for is
// named as in spans of the first dialect, whichever dialect the spans have.
func (a *payer) collect(attributes pcommon.Map) {
	*a = payer{}
	for key, value := range attributes.All() {
		switch key {
		case "gen_ai.provider.name":
			a.providerName = value.Str()
		case "gen_ai.request.model":
			a.requestModel = value.Str()
		case "gen_ai.response.model":
			a.responseModel = value.Str()
		case "gen_ai.system":
			a.system = value.Str()
		case "hidden_params":
			a.hidden = value.Str()
		case "litellm.model_group":
			a.modelGroup = value.Str()
		case "litellm.provider.model":
			a.providerModel = value.Str()
		case "metadata.user_api_key_alias":
			a.keyAlias = value.Str()
		case "metadata.user_api_key_end_user_id":
			a.endUser = value.Str()
		case "metadata.user_api_key_hash":
			a.key = value.Str()
		case "metadata.user_api_key_org_id":
			a.org = value.Str()
		case "metadata.user_api_key_project_id":
			a.project = value.Str()
		case "metadata.user_api_key_team_alias":
			a.teamAlias = value.Str()
		case "metadata.user_api_key_team_id":
			a.team = value.Str()
		case "metadata.user_api_key_user_id":
			a.user = value.Str()
		}
	}
}

// deployment is the provider, by LiteLLM's name, and the model. LiteLLM's
// metrics do not name the provider of embeddings, images, the Responses API and
// /v1/messages; where they hide the deployment's name it is in there, else the
// model's own name must do.
func (a *payer) deployment() (provider, model string) {
	if prefix, rest, found := strings.Cut(a.providerModel, "/"); found && prefix != "" && rest != "" {
		return prefix, rest
	}
	model = cmp.Or(a.providerModel, a.requestModel, a.responseModel)
	if provider = liteLLMName(cmp.Or(a.system, a.providerName)); provider != "" {
		return provider, model
	}
	if prefix, rest, found := strings.Cut(gjson.Get(a.hidden, "litellm_model_name").Str, "/"); found && rest == model {
		return prefix, model
	}
	return providerOfModel(model, gjson.Get(a.hidden, "api_base").Str), model
}

func (a *payer) group() string {
	return cmp.Or(a.modelGroup, gjson.Get(a.hidden, "additional_headers.x-litellm-model-group").Str)
}

// describe makes the record of the point.
func (w *pointWalk) describe() {
	var a payer
	a.collect(w.point.attributes)
	w.record = Record{
		Outcome: billing.Billed,
		Hour:    billing.HourOfNanos(w.point.Time), Corrected: w.point.Corrected,
		ModelGroup: a.group(),
		Team:       a.team, TeamAlias: a.teamAlias,
		User:   a.user,
		APIKey: a.key, APIKeyAlias: a.keyAlias,
		EndUser: a.endUser, Organization: a.org, Project: a.project,
		Attributes: w.attributes(),
	}
	w.record.Provider, w.record.Model = a.deployment()
	if !w.point.Cumulative {
		w.record.Call = w.point.identity()
		w.record.Cost, w.record.Tokens, _ = w.point.Totals()
	}
}

// attributes are the values of those that the configuration names.
func (w *pointWalk) attributes() []string {
	clear(w.other)
	for name, i := range w.reader.wanted {
		if value, ok := w.point.attributes.Get(name); ok {
			w.other[i] = value.AsString()
		}
	}
	return w.other
}
