package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
)

// A removal that is cut short says so after the user it is at, and another one goes on. So does one after a failure.
func TestOrgRemoveCutShort(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	var stderr bytes.Buffer
	run := func(ctx context.Context, store storage.Store, limit int) (removedOrg, error) {
		r := orgRemovalRun{inv: &Program{Stderr: &stderr}, org: "acme", limit: limit}
		err := r.remove(ctx, admin.RemovalsOf(store))
		return r.done, err
	}
	for _, user := range []string{"ann", "bob", "eve", "kim"} {
		putFor(t, store, user, 10)
	}
	if done, err := run(t.Context(), store, 3); err == nil || !strings.Contains(err.Error(), "more than 3 users") || done.Users != 0 {
		t.Errorf("over the limit: %+v, %v", done, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cut := faulty.New(store)
	cut.Set(faulty.Fault{Kind: faulty.Slow, Methods: []faulty.Method{faulty.RemoveUser}, Call: 2, Wait: func(context.Context) { cancel() }})
	done, err := run(ctx, cut, 4)
	if err == nil || err.Error() != "2 of 4 users removed, then: interrupted; the same command again goes on" || done.Pictures != 2 {
		t.Errorf("interrupted: %+v, %v", done, err)
	}
	if done, err = run(t.Context(), faulty.Always(store, faulty.Fault{Methods: []faulty.Method{faulty.RemoveUser}}), 4); !errors.Is(err, storage.ErrUnavailable) || !strings.HasPrefix(err.Error(), "0 of 2 users removed, then: ") {
		t.Errorf("with a store that fails: %+v, %v", done, err)
	}
	if has, err := store.HasOrganization(t.Context(), "acme"); !has || err != nil {
		t.Errorf("HasOrganization = %v, %v, want true until all users are gone", has, err)
	}
	if _, err := admin.RemoveOrganization(t.Context(), store, admin.OrganizationRemoval{Organization: "acme"}, nil); !errors.Is(err, admin.ErrRefused) {
		t.Errorf("with users in it: %v, want %v", err, admin.ErrRefused)
	}
	if done, err = run(t.Context(), store, 4); err != nil || done.Users != 2 || done.Pictures != 2 {
		t.Errorf("again: %+v, %v", done, err)
	}
	if has, err := store.HasOrganization(t.Context(), "acme"); has || err != nil {
		t.Errorf("HasOrganization = %v, %v, want false", has, err)
	}
}
