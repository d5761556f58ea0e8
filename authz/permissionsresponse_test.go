package authz

import (
	"encoding/json"
	"slices"
	"testing"
)

// Whatever a provider sends, a permission comes only out of a list that names it plainly.
func FuzzPermits(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"result":[]}`, `{"result":null}`, `{"result":["user.write"]}`, `{"result":["user.write","user.write:self"]}`,
		`{"Result":["user.write"],"result":[]}`, `{"result":["org.delete"],"result":[]}`, `{"result":"user.write"}`, `[]`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readPermissions([]byte(text))
		if err != nil {
			if p.Member || len(p.Allowed) > 0 {
				t.Errorf("%+v beside an error out of %q", p, text)
			}
			return
		}
		var plain map[string]any
		if err := json.Unmarshal([]byte(text), &plain); err != nil {
			t.Fatalf("%+v out of no object: %q", p, text)
		}
		result, _ := plain["result"].([]any)
		if p.Member != (len(result) > 0) {
			t.Errorf("member: %v out of %q", p.Member, text)
		}
		for _, allowed := range p.Allowed {
			if !slices.Contains(result, any(string(allowed))) {
				t.Errorf("%s out of %q", allowed, text)
			}
		}
	})
}
