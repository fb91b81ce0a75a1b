package cbf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/otelcol-cloudzero/otelcol-cloudzero/cloudzeroexporter/internal/usage"
)

// Names of the dimensions that a configuration can split rows by.
const (
	Team         = "team"
	User         = "user"
	APIKey       = "api_key"
	EndUser      = "end_user"
	Organization = "organization"
	Project      = "project"
	ModelGroup   = "model_group"
)

// tagOf maps the dimensions to the tags that show them. An API key is shown by
// its alias, which is a label, because its own value is a hash.
var tagOf = map[string]string{
	User:         "user_id",
	APIKey:       "",
	EndUser:      "end_user_id",
	Organization: "organization_id",
	Project:      "project_id",
	ModelGroup:   "model_group",
}

// reservedTags are the tags of a row that are not a dimension's.
var reservedTags = []string{
	"provider", "model", "team_id", "team_alias", "api_key_alias", "prompt_tokens", "completion_tokens",
}

// Layout says what separates two rows of an hour: provider, model and team
// always, and the dimensions of split_by.
type Layout struct {
	dimensions []dimension
	attributes []string
}

// dimension is one name of split_by.
type dimension struct {
	name      string
	attribute int // index in Layout.attributes, or -1
}

// NewLayout makes the layout for the names of split_by. A name that is none of
// the known dimensions is the name of a span attribute.
func NewLayout(splitBy []string) (Layout, error) {
	var l Layout
	seen := slices.Clone(reservedTags)
	for _, tag := range tagOf {
		seen = append(seen, tag)
	}
	for i, name := range splitBy {
		switch {
		case name == "":
			return Layout{}, errors.New("a dimension without a name")
		case slices.Contains(splitBy[:i], name):
			return Layout{}, fmt.Errorf("%q is named twice", name)
		case name == Team:
			continue
		}
		d := dimension{name: name, attribute: -1}
		if _, known := tagOf[name]; !known {
			tag := tagKey(name)
			if slices.Contains(seen, tag) {
				return Layout{}, fmt.Errorf("%q would make a second tag %q in every row", name, tag)
			}
			seen = append(seen, tag)
			d.attribute = len(l.attributes)
			l.attributes = append(l.attributes, name)
		}
		l.dimensions = append(l.dimensions, d)
	}
	return l, nil
}

// Attributes are the names of the span attributes that the layout needs, in the
// order in which [usage.Record] has their values.
func (l Layout) Attributes() []string { return l.attributes }

// Unused are the parts of records that the layout does not look at.
func (l Layout) Unused() usage.Parts {
	unused := usage.AllParts
	for _, d := range l.dimensions {
		unused &^= map[string]usage.Parts{
			APIKey: usage.APIKeyAlias, EndUser: usage.EndUser, ModelGroup: usage.ModelGroup,
			Organization: usage.Organization, Project: usage.Project,
		}[d.name]
	}
	return unused
}

// Labels are the record's names for the ids in its key.
func (l Layout) Labels(r *usage.Record) Labels {
	labels := Labels{TeamAlias: r.TeamAlias}
	for _, d := range l.dimensions {
		if d.name == APIKey {
			labels.APIKeyAlias = r.APIKeyAlias
		}
	}
	return labels
}

// value is what the record says of the dimension.
func (d dimension) value(r *usage.Record) string {
	switch d.name {
	case User:
		return r.User
	case APIKey:
		return r.APIKey
	case EndUser:
		return r.EndUser
	case Organization:
		return r.Organization
	case Project:
		return r.Project
	case ModelGroup:
		return r.ModelGroup
	default:
		return r.Attributes[d.attribute]
	}
}

// tagKey turns a name into a tag key: characters that AnyCost does not take,
// and those that have a meaning in a CZRN, become _.
func tagKey(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("_./+-@", c):
			return c
		default:
			return '_'
		}
	}, name)
}
