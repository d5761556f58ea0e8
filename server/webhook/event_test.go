package webhook

import (
	"strings"
	"testing"
	"time"
)

// zitadelEvent has the shape of what Actions v2 send for an event, with the numbers of their documentation.
const zitadelEvent = `{"aggregateID":"313014806065971608","aggregateType":"user","resourceOwner":"312909075211944344","instanceID":"312909075211878808",` +
	`"version":"v2","sequence":7,"event_type":"user.removed","created_at":"2025-03-27T10:22:43.262665+01:00","userID":"312909075212468632","event_payload":"e30="}`

const standardEvent = `{"type":"user.removed","timestamp":"2025-03-27T09:22:43.262665Z","data":{"userId":"313014806065971608","organizationId":"312909075211944344"}}`

func TestEvents(t *testing.T) {
	at := time.Date(2025, 3, 27, 9, 22, 43, 262_665_000, time.UTC)
	user := Event{Kind: UserRemoved, ID: "msg_1", Organization: "312909075211944344", User: "313014806065971608", Time: at}
	org := Event{Kind: OrganizationRemoved, ID: "msg_1", Organization: "312909075211944344", Time: at}
	number := "312909075211878808\nuser.removed\n313014806065971608\n7"
	swap := strings.NewReplacer
	for _, row := range []struct {
		title  string
		scheme Scheme
		body   string
		want   Event  // the zero Event is one that ends nobody
		err    string // contained in the error, "" = none
	}{
		{"a user", Standard, standardEvent, user, ""},
		{"with more in it, which may nest", Standard, swap(`"data":{`, `"more":[[{"a":[1,2]}],null],"data":{"name":"A","tags":{"a":true},`).Replace(standardEvent), user, ""},
		{"an organisation", Standard, swap(`user.removed`, `organization.removed`).Replace(standardEvent), org, ""},
		{"something else", Standard, `{"type":"user.deactivated"}`, Event{}, ""},
		{"no type", Standard, `{"timestamp":"2025-03-27T09:22:43Z"}`, Event{}, "has no type"},
		{"a type of another case", Standard, swap(`"type"`, `"Type"`).Replace(standardEvent), Event{}, "has no type"},
		{"a type that is a number", Standard, `{"type":1}`, Event{}, "has no type"},
		{"no time", Standard, swap(`"timestamp"`, `"time"`).Replace(standardEvent), Event{}, "lacks its time"},
		{"a time in words", Standard, swap("2025-03-27T09:22:43.262665Z", "yesterday").Replace(standardEvent), Event{}, "lacks its time"},
		{"no organisation", Standard, swap(`organizationId`, `organisationId`).Replace(standardEvent), Event{}, "the id of the user or the organisation"},
		{"no user", Standard, swap(`"userId"`, `"id"`).Replace(standardEvent), Event{}, "the id of the user or the organisation"},
		{"a user who is a number", Standard, swap(`"313014806065971608"`, `313014806065971608`).Replace(standardEvent), Event{}, "the id of the user"},
		{"a user with a control character", Standard, swap("313014806065971608", `3\u0000`).Replace(standardEvent), Event{}, "the id of the user"},
		{"a user with half a pair", Standard, swap("313014806065971608", `3\ud800`).Replace(standardEvent), Event{}, "the id of the user"},
		{"a long user", Standard, swap("313014806065971608", strings.Repeat("3", 201)).Replace(standardEvent), Event{}, "the id of the user"},
		{"data that is a list", Standard, `{"type":"user.removed","timestamp":"2025-03-27T09:22:43Z","data":["a"]}`, Event{}, "the id of the user"},
		{"a name twice", Standard, swap(`"data":{`, `"data":{"userId":"2",`).Replace(standardEvent), Event{}, "a name twice"},
		{"a name twice, once escaped", Standard, swap(`"data":{`, `"data":{"user\u0049d":"2",`).Replace(standardEvent), Event{}, "a name twice"},
		{"a name twice, in a list", Standard, swap(`"data":{`, `"x":[{"a":1,"a":2}],"data":{`).Replace(standardEvent), Event{}, "a name twice"},
		{"more behind it", Standard, standardEvent + `{}`, Event{}, "no JSON of one value"},
		{"half of it", Standard, standardEvent[:60], Event{}, "no JSON of one value"},
		{"a comma too many", Standard, `{"type":"x",}`, Event{}, "no JSON of one value"},
		{"a comma too few", Standard, `{"type":"x" "a":1}`, Event{}, "no JSON of one value"},
		{"no UTF-8", Standard, "{\"type\":\"\xff\"}", Event{}, "no JSON of one value"},
		{"nothing", Standard, "", Event{}, "no JSON of one value"},
		{"no object", Standard, `[1]`, Event{}, "no JSON object"},
		{"null", Standard, `null`, Event{}, "no JSON object"},
		{"sixteen levels", Standard, `{"type":"x","a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`, Event{}, ""},
		{"one more", Standard, `{"type":"x","a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, Event{}, "more than 16 levels"},
		{"thirty thousand levels", Standard, strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000), Event{}, "no JSON"},

		{"ZITADEL's user: the aggregate, not who removed it", Zitadel, zitadelEvent, Event{UserRemoved, number, user.Organization, user.User, at}, ""},
		{"ZITADEL's organisation", Zitadel, swap(`user.removed`, `org.removed`, `"aggregateType":"user"`, `"aggregateType":"org"`, "313014806065971608", "312909075211944344").Replace(zitadelEvent),
			Event{OrganizationRemoved, "312909075211878808\norg.removed\n312909075211944344\n7", user.Organization, "", at}, ""},
		{"a user of ZITADEL's who was deactivated", Zitadel, swap(`user.removed`, `user.deactivated`).Replace(zitadelEvent), Event{}, ""},
		{"a removal of another kind of aggregate", Zitadel, swap(`"aggregateType":"user"`, `"aggregateType":"org"`).Replace(zitadelEvent), Event{}, "has no type"},
		{"without the number", Zitadel, swap(`"sequence":7`, `"sequence":"7"`).Replace(zitadelEvent), Event{}, "its number"},
		{"without the instance", Zitadel, swap(`instanceID`, `instance`).Replace(zitadelEvent), Event{}, "its number"},
		{"a call of another kind of action", Zitadel, `{"fullMethod":"/zitadel.user.v2.UserService/DeleteUser","instanceID":"1"}`, Event{}, "has no type"},
	} {
		got, err := ParseEvent(row.scheme, Signature{ID: map[Scheme]string{Standard: "msg_1"}[row.scheme]}, []byte(row.body))
		switch {
		case row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)), row.err == "" && err != nil:
			t.Errorf("%s: error %v, want %q", row.title, err, row.err)
		case !got.Time.Equal(row.want.Time):
			t.Errorf("%s: time %v, want %v", row.title, got.Time, row.want.Time)
		}
		if got.Time = row.want.Time; got != row.want {
			t.Errorf("%s: %+v, want %+v", row.title, got, row.want)
		}
	}
}
