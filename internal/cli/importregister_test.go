package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
)

// Where any number of processes may have the store open, an import registers users in it, under the issuer that those on record have. It brings
// nobody back who has ended.
func TestImportRegistersInTheStore(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	const issuer = "https://id.example"
	for _, user := range []string{"ann", "bob"} {
		e.want(ExitOK, "added", "user", "add", user, "--org=acme", "--new-org", "--issuer="+issuer, "--data=one")
	}
	e.want(ExitOK, "removed", "erase", "user", "bob", "--data=one")
	register := func(org, issuer string, newOrg bool, users ...string) (failed error) {
		t.Helper()
		flags := &importCommand{settingFlags: settingFlags{new(config.Flags)}, Org: org, Register: true, NewOrg: newOrg}
		flags.Set("data", "one")
		flags.Set("issuer", issuer)
		err := flags.withRegister(t.Context(), &Program{Place: e.place}, func(register func(context.Context, string) error) error {
			for _, user := range users {
				failed = errors.Join(failed, register(t.Context(), user))
			}
			return nil
		})
		return errors.Join(err, failed)
	}
	refused := func(err error, part string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("registering = %v, want %q", err, part)
		}
	}
	if err := register("acme", issuer, false, "eve", "ann"); err != nil {
		t.Error(err)
	}
	if err := register("new", issuer, true, "kim"); err != nil {
		t.Error(err)
	}
	err := register("acme", issuer, false, "bob")
	if _, refusal := errors.AsType[*bulkimport.RefusedError](err); !refusal {
		t.Errorf("registering somebody who has ended = %v, want a refusal", err)
	}
	refused(err, "the user has ended")
	refused(register("nowhere", issuer, false, "pat"), "organisation nowhere is not registered")
	refused(register("acme", "https://other.example", false, "pat"), "nobody on record has the issuer")
	store := e.open("one")
	for user, org := range map[string]string{"ann": "acme", "eve": "acme", "kim": "new"} {
		if _, err := store.Stat(t.Context(), storage.UserKey{Issuer: issuer, ID: user}, org); err != nil {
			t.Errorf("Stat of %s: %v", user, err)
		}
	}
}
