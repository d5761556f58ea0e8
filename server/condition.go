package server

import (
	"net/http"
	"strings"

	"example.org/avatard/storage"
)

// maxConditionTags bounds the entity tags of one field. Clients usually send one.
const maxConditionTags = 64

// condition holds the fields of a request that bind a change to the picture there is (RFC 9110 section 13.1), as they came.
// Only REST has them.
type condition struct{ ifMatch, ifNoneMatch []string }

func conditionIn(h http.Header) condition {
	return condition{h["If-Match"], h["If-None-Match"]}
}

// parse returns the condition in the store's form. A field that cannot be read is an error: a change with a condition is
// never made without it.
func (c condition) parse() (storage.Condition, error) {
	ifMatch, ok := generations(c.ifMatch, true)
	if !ok {
		return storage.Condition{}, badCondition("If-Match")
	}
	ifNoneMatch, ok := generations(c.ifNoneMatch, false)
	if !ok {
		return storage.Condition{}, badCondition("If-None-Match")
	}
	return storage.Condition{IfMatch: ifMatch, IfNoneMatch: ifNoneMatch}, nil
}

func badCondition(field string) error {
	return &apiError{reason: invalidRequest, message: field + ` must be * or a list of entity tags in quotes, as in ETag, 64 at most`}
}

// generations returns the generations that the values of a field name. "" stands for a tag that names none: one of another server and,
// where the comparison is strong, a weak one (RFC 9110 section 8.8.3.2). ok is false when the values are neither * nor
// a list of entity tags.
func generations(values []string, strong bool) (named []string, ok bool) {
	if len(values) == 0 {
		return nil, true
	}
	rest := strings.Join(values, ",")
	if strings.Trim(rest, " \t") == "*" {
		return []string{storage.AnyPicture}, true
	}
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return named, len(named) > 0
		}
		tag, weak := strings.CutPrefix(rest, "W/")
		opaque, after, closed := strings.Cut(strings.TrimPrefix(tag, `"`), `"`)
		after = strings.TrimLeft(after, " \t")
		if !strings.HasPrefix(tag, `"`) || !closed || after != "" && after[0] != ',' || len(named) == maxConditionTags {
			return nil, false
		}
		generation, _, _ := strings.Cut(opaque, "-")
		if weak && strong || generation == storage.AnyPicture {
			generation = ""
		}
		named, rest = append(named, generation), after
	}
}
