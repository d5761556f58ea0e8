package auditstream_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/storage"
	"example.org/avatard/storage/auditstream"
	"example.org/avatard/storage/storagetest/memory"
)

const (
	org, org2 = "acme", "globex"
	issuer    = "https://id.example"
)

// What is done to a store has a line each, what changes nothing has none, and no line has a byte of a picture.
func TestLines(t *testing.T) {
	var stream bytes.Buffer
	at := time.Date(2026, 3, 2, 9, 41, 7, 783527000, time.UTC)
	inner, err := memory.New("").Open(t.Context(), "store", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := auditstream.Wrap(inner, &stream, func() time.Time { return at })
	t.Cleanup(func() { _ = s.Close() })
	ctx, ann, by := t.Context(), storage.UserKey{Issuer: issuer, ID: "ann"}, storage.Origin{Caller: "max", CallerOrganization: org, RequestID: "R1"}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	twice := func(do func() error) {
		t.Helper()
		for range 2 {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	twice(func() error { _, err := s.AddOrganization(ctx, org2, by); return err })
	twice(func() error { _, _, err := s.AddUser(ctx, ann, org, by); return err })
	must(s.Put(ctx, storage.Upload{User: ann, Organization: org, By: by, Picture: storage.Picture{Format: storage.PNG, Data: []byte("picture byte")}}))
	must(s.Remove(ctx, storage.Removal{User: ann, Organization: org, By: by}))
	if _, err := s.Remove(ctx, storage.Removal{User: ann, Organization: org2, By: by}); err == nil {
		t.Fatal("a removal in another organisation succeeded")
	}
	twice(func() error { _, _, err := s.MoveUser(ctx, ann, org2, by); return err })
	twice(func() error { _, err := s.MoveIssuer(ctx, issuer, "https://new.example", by); return err })
	twice(func() error { _, err := s.EndOrganization(ctx, org2, by); return err })
	must(s.EraseUser(ctx, storage.Removal{User: storage.UserKey{Issuer: "https://new.example", ID: "ann"}, Organization: org2, By: by}))
	twice(func() error { _, err := s.RemoveOrganization(ctx, org2, by); return err })
	s.RecordRefusal(storage.Refusal{By: by, Organization: org, Target: "bob", Action: "DELETE /x", Reason: "AUTH-5mWD2", Dropped: 4})

	type line struct {
		Action, Refused, User, Issuer, NewIssuer, Organisation string
		Sequence, More                                         int
		Receipt, Generation                                    bool
	}
	want := []line{
		{Action: "organization-add", Organisation: org2},
		{Action: "user-add", User: "ann", Issuer: issuer, Organisation: org, Sequence: 1},
		{Action: "upload", User: "ann", Issuer: issuer, Organisation: org, Sequence: 2, Generation: true},
		{Action: "remove", User: "ann", Issuer: issuer, Organisation: org, Sequence: 3, Receipt: true},
		{Action: "user-move", User: "ann", Issuer: issuer, Organisation: org2, Sequence: 4, Receipt: true},
		{Action: "issuer-move", Issuer: issuer, NewIssuer: "https://new.example"},
		{Action: "organization-end", Organisation: org2},
		{Action: "user-erase", User: "ann", Issuer: "https://new.example", Organisation: org2, Receipt: true},
		{Action: "organization-remove", Organisation: org2},
		{Action: "DELETE /x", Refused: "AUTH-5mWD2", User: "bob", Organisation: org, More: 4},
	}
	var got []line
	for text := range bytes.Lines(stream.Bytes()) {
		var r map[string]any
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if r["caller"] != "max" || r["caller_organisation"] != org || r["request"] != "R1" || r["time"] != "2026-03-02T09:41:07.783527Z" {
			t.Errorf("the line %s does not say who and when", text)
		}
		word := func(name string) string { v, _ := r[name].(string); return v }
		number := func(name string) int { v, _ := r[name].(float64); return int(v) }
		one := line{Action: word("action"), Refused: word("refused"), User: word("user"), Issuer: word("issuer"), NewIssuer: word("new_issuer"),
			Organisation: word("organisation"), Sequence: number("sequence"), More: number("more"), Receipt: word("receipt") != "", Generation: word("generation") != ""}
		if one.Action == "user-erase" {
			one.Sequence = 0 // engines count the end of the record in their own way
		}
		got = append(got, one)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if bytes.Contains(stream.Bytes(), []byte("picture byte")) {
		t.Error("the stream has bytes of a picture")
	}
}
