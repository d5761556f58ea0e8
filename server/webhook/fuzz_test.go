package webhook

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.org/avatard/internal/ids"
)

// Whatever comes, an event is either refused or has all that it needs, and no other reader of JSON sees another user in it.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{standardEvent, zitadelEvent, "", "{}", `{"type":"user.removed"`, `{"type":"x","a":[[[[]]]]}`, `{"a":1,"a":2}`, `{"\ud800":"\udc00"}`} {
		f.Add(uint8(0), seed)
		f.Add(uint8(1), seed)
	}
	f.Fuzz(func(t *testing.T, scheme uint8, body string) {
		e, err := ParseEvent(Scheme(scheme%2), Signature{ID: "msg_1"}, []byte(body))
		if err != nil || e.Kind == Other {
			if e != (Event{}) {
				t.Fatalf("%+v beside %v", e, err)
			}
			return
		}
		if e.ID == "" || !ids.Valid(e.Organization) || e.Time.IsZero() || (e.Kind == UserRemoved) != ids.Valid(e.User) {
			t.Fatalf("%+v is not complete", e)
		}
		var seen map[string]any
		if err := json.Unmarshal([]byte(body), &seen); err != nil {
			t.Fatal(err)
		}
		user := seen["aggregateID"]
		if data, ok := seen["data"].(map[string]any); ok && scheme%2 == 0 {
			user = data["userId"]
		}
		if e.Kind == UserRemoved && user != e.User {
			t.Fatalf("the user is %q here and %q elsewhere", e.User, user)
		}
	})
}

// Whatever comes, a signature is bounded and current, and nothing that no secret has made is signed.
func FuzzSignature(f *testing.F) {
	f.Add(uint8(0), vectorID, "1614265330", vectorSignature+" "+otherSignature)
	f.Add(uint8(1), "", "", "t=1614265330,v1="+zitadelHash)
	f.Add(uint8(1), "", "", "t=,v1=,=,t=1")
	now := time.Unix(vectorTime, 0)
	f.Fuzz(func(t *testing.T, scheme uint8, id, stamp, signatures string) {
		s := Scheme(scheme % 2)
		header := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signatures}, "Zitadel-Signature": {signatures}}
		sig, err := ReadSignature(s, header, now)
		if err != nil {
			return
		}
		if away := now.Sub(sig.Time).Abs(); away > Tolerance || len(sig.hashes) == 0 || len(sig.hashes) > maxSignatures || strings.Contains(sig.ID, ".") {
			t.Fatalf("%+v is %v away", sig, away)
		}
		if sig.SignedBy(mustSecrets(t, s, []string{otherSecret, "another-key-of-a-target"}[s]), []byte(vectorBody)) {
			t.Fatal("signed without the secret")
		}
	})
}
