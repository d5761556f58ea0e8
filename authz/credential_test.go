package authz

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// However an identity is printed, logged or encoded, and whatever it is a part of, its token does not show.
func TestCredentialDoesNotShow(t *testing.T) {
	const secret = "a-secret-token"
	id := Identity{Subject: "alice", Credential: NewCredential(secret)}
	if id.Credential.text() != secret {
		t.Fatal("the credential is not the token")
	}
	hidden := struct{ caller Identity }{id} // package fmt calls no methods in there
	values := []any{id, &id, id.Credential, &id.Credential, hidden, &hidden, []Identity{id}, map[string]any{"x": id}}
	var out bytes.Buffer
	text := slog.New(slog.NewTextHandler(&out, nil))
	encoded := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%o"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text.Info("text", "value", v)
		encoded.Info("json", "value", v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
	}
	_ = xml.NewEncoder(&out).Encode(id.Credential)
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", []byte(secret))} {
		if at := strings.Index(out.String(), form); at >= 0 {
			t.Errorf("the token shows: %s", out.String()[max(0, at-60):at+len(form)])
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing says that there is a token")
	}
}

func TestCredentialsAreCompared(t *testing.T) {
	a, b := NewCredential("x"), NewCredential("x")
	if !a.Equal(b) || a.Equal(NewCredential("y")) || a.Equal(Credential{}) || !(Credential{}).Equal(Credential{}) {
		t.Error("Equal does not compare tokens")
	}
}
