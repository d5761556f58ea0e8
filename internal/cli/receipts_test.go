package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/storagetest/memory"
)

// erased makes a store with receipts of alice, who has ended and had a second picture, and of bob, whose picture was removed.
func (e *elsewhere) erased() {
	e.t.Helper()
	store := e.open("one")
	by := storage.Origin{Caller: "boss", CallerOrganization: "headquarters", RequestID: "theirs/ours"}
	for _, user := range []string{"alice", "alice", "bob"} {
		up := storage.Upload{User: storage.UserKey{Issuer: "https://id.example", ID: user}, Organization: "acme", Register: true, By: by,
			Picture: storage.Picture{Format: storage.PNG, Data: []byte("picture")}}
		if _, err := store.Put(e.t.Context(), up); err != nil {
			e.t.Fatal(err)
		}
	}
	bob := storage.Removal{User: storage.UserKey{Issuer: "https://id.example", ID: "bob"}, Organization: "acme", By: by}
	if _, err := store.Remove(e.t.Context(), bob); err != nil {
		e.t.Fatal(err)
	}
	e.want(ExitOK, "user alice removed; the picture is erased", "erase", "user", "alice", "--data=one")
}

// receipts returns what "receipts list --json" prints.
func (e *elsewhere) receipts(args ...string) (all []admin.Receipt) {
	e.t.Helper()
	out, stderr, code := e.run(nil, append([]string{"receipts", "list", "--json", "--data=one"}, args...)...)
	if code != ExitOK {
		e.t.Fatalf("receipts list %v = exit code %d, %s", args, code, stderr)
	}
	for lines := json.NewDecoder(bytes.NewReader(out)); ; {
		var r admin.Receipt
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			e.t.Fatal(err)
		}
		all = append(all, r)
	}
}

// Receipts are listed, shown in words and exported, also those of users who have ended.
func TestReceipts(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	e.erased()
	all := e.receipts()
	if len(all) != 3 || all[0].User != "alice" || all[0].Reason != "removed" || all[0].Caller != "command line" || all[1].User != "bob" || all[2].Reason != "replaced" {
		t.Fatalf("receipts list: %+v", all)
	}
	for args, want := range map[string]int{"--user=alice": 2, "--user=nobody": 0, "--org=acme": 3, "--org=globex": 0, "--since=1h": 3, "--until=1h": 0, "--since=0s": 0,
		"--user=bob --issuer=https://id.example": 1, "--user=bob --issuer=https://other.example": 0} {
		if got := e.receipts(strings.Fields(args)...); len(got) != want {
			t.Errorf("receipts list %s has %d, want %d: %+v", args, len(got), want, got)
		}
	}
	e.want(ExitOK, "  removed  user bob  organisation acme  issuer https://id.example  by boss of organisation headquarters\n", "receipts", "list", "--data=one")
	for i, want := range [][]string{
		{"A picture of user alice was erased for good.\n", "why           it was deleted, or its user was ended\n", `by            "command line"` + "\n"},
		{"A picture of user bob was", "organisation  acme\n", "by            boss of organisation headquarters\n", "request       theirs/ours\n"},
		{"why           another picture took its place\n", "erased        20"},
	} {
		for _, part := range append(want, all[i].Receipt) {
			e.want(ExitOK, part, "receipts", "show", strings.ToUpper(all[i].Receipt), "--data=one")
		}
	}
	e.want(ExitOK, `{"receipt":"`+all[1].Receipt+`","time":"`, "receipts", "show", all[1].Receipt, "--json", "--data=one")
	e.want(ExitFailed, "was removed for its age", "receipts", "show", strings.Repeat("0", 32), "--data=one")
	for _, args := range []string{"show abc", "show " + strings.Repeat("g", 32), "list --user=a\x01", "list --org=\xff", "list --since=soon", "list --issuer=https://id.example",
		"export - --json", "export - --until=1x", "list --since=1h --until=1h"} {
		e.want(ExitUsage, "usage: avatard receipts "+strings.Fields(args)[0], append(append([]string{"receipts"}, strings.Split(args, " ")...), "--data=none")...)
	}
}

// What is not known of the caller is said in words.
func TestReceiptsWithoutACaller(t *testing.T) {
	var out bytes.Buffer
	for reason, want := range map[string]string{admin.ReasonRemoved: "by            no longer on record\n", admin.ReasonAbandoned: "by            the store itself\n",
		admin.ReasonLost: "a repair of the store", admin.ReasonUnknown: "a later version"} {
		out.Reset()
		if err := explainReceipt(&out, admin.Receipt{Reason: reason, User: "a\u202eb"}); err != nil || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), `user "a\u202eb" was`) || strings.Contains(out.String(), "request") {
			t.Errorf("%s: %s, %v, want %q", reason, &out, err, want)
		}
	}
}

// A file of an export has all receipts or is not there, and replaces no other one unless it may.
func TestReceiptsExport(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	e.erased()
	dir := t.TempDir()
	file := filepath.Join(dir, "receipts")
	e.want(ExitOK, file+": 3 receipts\n", "receipts", "export", file, "--data=one")
	written, err := os.ReadFile(file)
	listed, _, _ := e.run(nil, "receipts", "list", "--json", "--data=one")
	if err != nil || !bytes.Equal(written, listed) {
		t.Errorf("the export is %q, %v, want %q", written, err, listed)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the export is %v, %v, want its owner's alone", info, err)
	}
	if out, _, code := e.run(nil, "receipts", "export", "-", "--data=one"); code != ExitOK || !bytes.Equal(out, listed) {
		t.Errorf("receipts export - = exit code %d, %q, want %q", code, out, listed)
	}
	e.want(ExitFailed, file, "receipts", "export", file, "--user=bob", "--data=one")
	e.want(ExitOK, `{"file":"`+file+`","receipts":1}`, "receipts", "export", file, "--user=bob", "--force", "--json", "--data=one")
	failing := faultyPlace{Place: e.stores.Place("one"), fault: faulty.Fault{Methods: []faulty.Method{faulty.ListReceipts}, Times: -1}}
	e.wrap = func(storage.Place) storage.Place { return failing }
	e.want(ExitFailed, "receipts export: ", "receipts", "export", filepath.Join(dir, "none"), "--data=one")
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("there are %v, %v, want the first file alone", names, err)
	}
	e.wrap = nil
	full, w := io.Pipe()
	if err := full.CloseWithError(errors.New("no space left")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"receipts", "export", "-"}, {"receipts", "list"}, {"audit"}, {"audit", "--follow"}} {
		p := &Program{Stdout: w, Place: e.place}
		if err := p.Run(t.Context(), append(args, "--data=one")); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%v into what takes nothing = %v", args, err)
		}
	}
}

// A dry run says who would go, and changes nothing. "user remove" and "org remove" are other names of the same.
func TestEraseDryRun(t *testing.T) {
	for _, names := range [][2][]string{{{"erase", "user"}, {"erase", "org"}}, {{"user", "remove"}, {"org", "remove"}}} {
		e := &elsewhere{t: t, stores: memory.New("")}
		store := e.open("one")
		putFor(t, store, "alice", 1)
		user, org := append(names[0], "--data=one"), append(names[1], "--data=one")
		e.want(ExitOK, "added", "user", "add", "bob", "--org=acme", "--issuer=https://id.example", "--data=one")
		before, _, _ := e.run(nil, "audit", "--data=one")
		e.want(ExitOK, "user alice of organisation acme would be removed, and the picture erased; nothing was changed\n", append(user, "--dry-run", "alice")...)
		e.want(ExitOK, "user bob of organisation acme would be removed; there is no picture; nothing was changed\n", append(user, "--dry-run", "bob")...)
		e.want(ExitOK, `{"user":"alice","issuer":"https://id.example","organisation":"acme","had_picture":true,"dry_run":true}`, append(user, "--dry-run", "--json", "alice")...)
		e.want(ExitFailed, "belongs to organisation acme, not globex", append(user, "--dry-run", "--org=globex", "alice")...)
		e.want(ExitFailed, "not registered with the issuer", append(user, "--dry-run", "--issuer=https://id.example", "eve")...)
		e.want(ExitOK, "organisation acme would be removed with 2 users, and 1 picture erased; nothing was changed\n", append(org, "--dry-run", "acme")...)
		e.want(ExitOK, `{"organisation":"acme","users":2,"pictures":1,"dry_run":true}`, append(org, "--dry-run", "--json", "acme")...)
		e.want(ExitFailed, "organisation globex is not registered", append(org, "--dry-run", "globex")...)
		if after, _, _ := e.run(nil, "audit", "--data=one"); !bytes.Equal(after, before) {
			t.Errorf("%v: dry runs are in the trail:\n%s", names, after)
		}
		if state, err := store.OrganizationState(t.Context(), "acme"); state != storage.Registered || err != nil {
			t.Errorf("%v: OrganizationState = %v, %v", names, state, err)
		}
		e.want(ExitOK, "user alice removed; the picture is erased, receipt ", append(user, "alice")...)
		e.want(ExitOK, "organisation acme removed with 1 user; 0 pictures erased\n", append(org, "acme")...)
	}
}
