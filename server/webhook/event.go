package webhook

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Kind is what happened.
type Kind uint8

// The kinds of events.
const (
	// Other is anything that ends nobody, such as a user who was deactivated.
	Other Kind = iota
	UserRemoved
	OrganizationRemoved
)

// Event is what a sender reports. Of Other only the kind is set.
type Event struct {
	Kind Kind
	// ID is the same in every message about the event, and in no other of the sender.
	ID string
	// Organization is the one that was removed, or in which the user was.
	Organization string
	// User was removed; "" when an organisation was.
	User string
	// Time is when it happened, by the sender's clock.
	Time time.Time
}

// errIncomplete is the error of an event that lacks what it is about.
var errIncomplete = errors.New("the event has no type, or lacks its time, its number, or the id of the user or the organisation")

// ParseEvent reads the body of a message that was signed. Errors repeat nothing of it, and are meant for the sender.
func ParseEvent(s Scheme, sig Signature, body []byte) (Event, error) {
	o, err := readObject(body)
	if err != nil {
		return Event{}, err
	}
	parse := parseStandard
	if s == Zitadel {
		parse = parseZitadel
	}
	e, typed := parse(o, sig)
	switch {
	case !typed:
		return Event{}, errIncomplete
	case e.Kind == Other:
		return Event{}, nil
	case e.ID == "" || e.Organization == "" || e.Time.IsZero() || e.User == "" && e.Kind == UserRemoved:
		return Event{}, errIncomplete
	}
	return e, nil
}

// parseStandard reads {"type", "timestamp", "data": {"userId", "organizationId"}}: the structure that Standard Webhooks recommends.
func parseStandard(o object, sig Signature) (e Event, typed bool) {
	e = Event{ID: sig.ID, Time: parseTime(o.text("timestamp"))}
	data, _ := o["data"].(object)
	e.Organization = data.id("organizationId")
	switch o.text("type") {
	case "user.removed":
		e.Kind, e.User = UserRemoved, data.id("userId")
	case "organization.removed":
		e.Kind = OrganizationRemoved
	case "":
		return Event{}, false
	}
	return e, true
}

// parseZitadel reads the payload of an execution for an event. The aggregate is what was removed; userID is who removed it.
func parseZitadel(o object, _ Signature) (e Event, typed bool) {
	e.Time = parseTime(o.text("created_at"))
	aggregate := o.id("aggregateID")
	kind := o.text("event_type")
	switch {
	case kind == "":
		return Event{}, false
	case kind == "user.removed" && o.text("aggregateType") == "user":
		e.Kind, e.User, e.Organization = UserRemoved, aggregate, o.id("resourceOwner")
	case kind == "org.removed" && o.text("aggregateType") == "org":
		e.Kind, e.Organization = OrganizationRemoved, aggregate
	case kind == "user.removed" || kind == "org.removed":
		return Event{}, false
	}
	// An event of ZITADEL's is one step of an aggregate, which has a number.
	if number, ok := o["sequence"].(json.Number); ok && o.id("instanceID") != "" {
		e.ID = strings.Join([]string{o.id("instanceID"), kind, aggregate, number.String()}, "\n") // ids have no control characters
	}
	return e, true
}

// parseTime returns the zero time for a text that is none of RFC 3339.
func parseTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
