package authz

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// malformedAnswers are texts that a provider in its senses does not answer with.
func malformedAnswers() []struct{ why, text string } {
	good := claims(nil)
	with := func(member string) string { return strings.TrimSuffix(good, "}") + "," + member + "}" }
	replace := func(name, value string) string {
		return claims(map[string]any{name: json.RawMessage(value)})
	}
	const roles = "urn:zitadel:iam:org:project:42:roles"
	return []struct{ why, text string }{
		{"empty", ``},
		{"HTML", `<html>active</html>`},
		{"null", `null`},
		{"an array", `[]`},
		{"a string", `"active"`},
		{"true", `true`},
		{"no members", `{}`},
		{"an error object", `{"error":"invalid_client"}`},
		{"text after the answer", good + "x"},
		{"two answers", good + good},
		{"cut off", good[:len(good)-1]},
		{"active in other letters", `{"Active":false}`},
		{"active null", replace("active", `null`)},
		{"active as a string", replace("active", `"true"`)},
		{"active as a number", replace("active", `1`)},
		{"active twice", with(`"active":true`)},
		{"active twice, once escaped", with(`"\u0061ctive":false`)},
		{"inactive and active", `{"active":false,"active":true}`},
		{"subject twice", with(`"sub":"bob"`)},
		{"a member we do not read twice", with(`"x":1,"x":2`)},
		{"a name twice deep inside", with(`"x":[{"y":{"a":1,"a":2}}]`)},
		{"a role twice", replace(roles, `{"A":{"acme":"a"},"A":{"globex":"a"}}`)},
		{"an organisation twice", replace(roles, `{"A":{"acme":"a","acme":"b"}}`)},
		{"subject as a number", replace("sub", `1`)},
		{"subject as an array", replace("sub", `["alice"]`)},
		{"expiry as a string", replace("exp", `"1700000060"`)},
		{"expiry out of range", replace("exp", `1e300`)},
		{"expiry no number there is", replace("exp", `1e999`)},
		{"expiry as an object", replace("exp", `{}`)},
		{"nbf as a bool", replace("nbf", `true`)},
		{"issuer as an array", replace("iss", `["https://id.example"]`)},
		{"audience as an object", replace("aud", `{"avatars":true}`)},
		{"audience as a number", replace("aud", `1`)},
		{"audience with a number", replace("aud", `["avatars",1]`)},
		{"audience with a null", replace("aud", `["avatars",null]`)},
		{"audience nested", replace("aud", `[["avatars"]]`)},
		{"client as an object", replace("client_id", `{}`)},
		{"typ as an array", replace("typ", `["Bearer"]`)},
		{"token_use as a number", replace("token_use", `0`)},
		{"organisation as a number", replace("urn:zitadel:iam:user:resourceowner:id", `69629023906488334`)},
		{"roles as an array", replace(roles, `["ORG_OWNER"]`)},
		{"organisations of a role as an array", replace(roles, `{"ORG_OWNER":["acme"]}`)},
		{"domain as a bool", replace(roles, `{"ORG_OWNER":{"acme":true}}`)},
		{"domain null", replace(roles, `{"ORG_OWNER":{"acme":null}}`)},
		{"deeper than JSON is read", with(`"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))},
	}
}

func TestMalformedAnswers(t *testing.T) {
	for _, row := range malformedAnswers() {
		id, err := identify(testRules, row.text)
		if err == nil || errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: identity = %+v, %v, want an error that says nothing about the token", row.why, id, err)
		}
		if strings.Contains(errText(err), "alice") {
			t.Errorf("%s: error %v quotes the answer", row.why, err)
		}
	}
}

func TestAnswersThatAreFine(t *testing.T) {
	for _, row := range []struct{ why, text string }{
		{"members we do not read may be anything", claims(map[string]any{"username": 7, "scope": []any{nil}})},
		{"roles of another project may be anything", claims(map[string]any{"urn:zitadel:iam:org:project:43:roles": []int{1}})},
		{"absent and null are the same", claims(map[string]any{"iss": json.RawMessage("null"), "nbf": json.RawMessage("null")})},
		{"white space", " \n" + strings.ReplaceAll(claims(nil), ",", " ,\t") + "\r\n"},
		{"a role granted nowhere", claims(map[string]any{"urn:zitadel:iam:org:project:42:roles": map[string]any{"A": map[string]any{}, "B": nil}})},
	} {
		if _, err := identify(testRules, row.text); err != nil {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	// RFC 7662 section 2.2: nothing beside "active" counts in an inactive answer.
	if _, err := identify(testRules, `{"active":false,"exp":"never","sub":[]}`); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("inactive answer with odd members: %v, want ErrInvalidToken", err)
	}
	if _, err := testRules.validate(introspectionResponse{}); !errors.Is(err, errMalformedResponse) {
		t.Errorf("judge of an answer that was never read: %v, want errMalformedAnswer", err)
	}
}

func TestRoleOrganizationsThatAreNoIDs(t *testing.T) {
	text := claims(map[string]any{"urn:zitadel:iam:org:project:42:roles": json.RawMessage(`{"A":{"":"x","a\nb":"x","\ud800":"x","ok":"x"},"B":{"":"x"}}`)})
	id, err := identify(testRules, text)
	if err != nil || len(id.Roles) != 1 || len(id.Roles["A"]) != 1 || id.Roles["A"][0] != "ok" {
		t.Errorf("identity = %+v, %v, want role A in ok only", id, err)
	}
}

// Whatever a provider sends, an identity comes out only of an object that says so plainly.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		claims(nil), `{"active":false}`, `null`, `[]`, `{"active":false,"active":true,"sub":"a"}`,
		`{"Active":true,"active":false}`, `{"active":true,"sub":"a","aud":"avatars","exp":1e12,"client_id":"c"}`,
		claims(map[string]any{"urn:zitadel:iam:org:project:42:roles": json.RawMessage(`{"A":{"acme":null}}`)}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := identify(testRules, text)
		if err != nil {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal([]byte(text), &plain); err != nil {
			t.Fatalf("identity %+v out of no object: %q", id, text)
		}
		if plain["active"] != true || plain["sub"] != id.Subject || !trustedID(id.Subject) {
			t.Errorf("identity %+v out of %q", id, text)
		}
		if home, ok := plain[organizationClaim]; ok && home != nil && home != id.Organization {
			t.Errorf("organisation %q out of %q", id.Organization, text)
		}
		if exp, ok := plain["exp"].(float64); !ok || exp <= testNow {
			t.Errorf("identity without an expiry in the future out of %q", text)
		}
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
