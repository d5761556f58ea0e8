package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/storage"
	"example.org/avatard/storage/faulty"
	"example.org/avatard/storage/storagetest/memory"
)

// faultyPlace opens its store with a fault.
type faultyPlace struct {
	storage.Place
	fault faulty.Fault
	opens func(*faulty.Store)
}

func (p faultyPlace) Open(ctx context.Context, o storage.OpenOptions) (storage.Engine, error) {
	engine, err := p.Place.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	store := faulty.New(engine)
	if store.Set(p.fault); p.opens != nil {
		p.opens(store)
	}
	return faulty.Engine{Store: store, Keeper: engine}, nil
}

// A removal that is cut short says so behind the users it is at, and another one goes on. So does one after a failure.
func TestOrgRemoveCutShort(t *testing.T) {
	const users = storage.MaxPage + 50
	e := &elsewhere{t: t, stores: memory.New("")}
	store := e.open("one")
	for n := range users {
		putFor(t, store, fmt.Sprintf("user-%04d", n), 1)
	}
	var stderr bytes.Buffer
	run := func(ctx context.Context, place storage.Place) (removedOrg, error) {
		r := orgErasure{inv: &Program{Stderr: &stderr}, req: admin.OrganizationRemoval{Organization: "acme"}}
		return r.remove(ctx, place)
	}
	place := e.stores.Place("one")
	failing := faultyPlace{Place: place, fault: faulty.Fault{Methods: []faulty.Method{faulty.EraseUser}, Times: -1}}
	if done, err := run(t.Context(), failing); !errors.Is(err, storage.ErrUnavailable) || !strings.HasSuffix(err.Error(), "; the same command again goes on") || done.Users != 0 {
		t.Errorf("with a store that fails: %+v, %v", done, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hanging := faultyPlace{Place: place, fault: faulty.Fault{Kind: faulty.HangBefore, Methods: []faulty.Method{faulty.OrganizationState}, Call: 3}, // before the second page
		opens: func(s *faulty.Store) {
			go func() {
				for s.Hits() == 0 {
					runtime.Gosched()
				}
				cancel()
			}()
		}}
	done, err := run(ctx, hanging)
	if err == nil || err.Error() != "200 users removed, then: interrupted; the same command again goes on" || done.Pictures != storage.MaxPage {
		t.Errorf("interrupted: %+v, %v", done, err)
	}
	if state, err := store.OrganizationState(t.Context(), "acme"); state != storage.Ending || err != nil {
		t.Errorf("OrganizationState = %v, %v, want %v until all users are gone", state, err, storage.Ending)
	}
	e.want(ExitOK, "acme  created ", "org", "list", "--data=one")
	e.want(ExitOK, "  is ending", "org", "list", "--data=one")
	e.want(ExitOK, "removing users: 50 of 50 (100 %)", "org", "remove", "acme", "--data=one")
	e.want(ExitOK, "organisation acme removed; there were no users", "org", "remove", "acme", "--data=one")
	if state, err := store.OrganizationState(t.Context(), "acme"); state != storage.Ended || err != nil {
		t.Errorf("OrganizationState = %v, %v, want %v", state, err, storage.Ended)
	}
}

// What has ended comes back by the commands that name it, and by no others: neither with a user, nor by the settings, nor by what dev starts with.
func TestWhatHasEnded(t *testing.T) {
	e := &elsewhere{t: t, stores: memory.New("")}
	issuer := "--issuer=https://id.example"
	add := []string{"user", "add", "eve", "--org=acme", issuer, "--data=one"}
	e.want(ExitOK, "user eve added", append(add, "--new-org")...)
	e.want(ExitOK, "user kim added", "user", "add", "kim", "--org=globex", "--new-org", issuer, "--data=one")
	e.want(ExitOK, "organisation acme removed with 1 user; 0 pictures erased", "org", "remove", "acme", "--data=one")

	store := e.open("one")
	var log bytes.Buffer
	if err := addOrganizations(t.Context(), store, slog.New(slog.NewTextHandler(&log, nil)), []string{"acme", "new"}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "level=WARN") || strings.Count(log.String(), "organisation=") != 1 || !strings.Contains(log.String(), "organisation=acme") {
		t.Errorf("the log says %q, want one warning of acme", log.String())
	}
	person := func(id, org string, avatar bool) devidp.SeededUser {
		return devidp.SeededUser{Account: devidp.Account{ID: id, Name: id, Organization: org}, Avatar: avatar}
	}
	seeded := &devidp.Seeded{Users: []devidp.SeededUser{person("eve", "acme", false), person("ann", "acme", true), person("bob", "globex", true)}}
	for _, org := range []string{"acme", "globex"} {
		seeded.Organizations = append(seeded.Organizations, devidp.SeededOrganization{Organization: devidp.Organization{ID: org}})
	}
	if err := (&devRun{store: store, issuer: devIssuerKey}).seedPeople(t.Context(), seeded); err != nil {
		t.Error(err)
	}
	for org, want := range map[string]storage.RegistrationState{"acme": storage.Ended, "globex": storage.Registered, "new": storage.Registered} {
		if state, err := store.OrganizationState(t.Context(), org); state != want || err != nil {
			t.Errorf("OrganizationState of %s = %v, %v, want %v", org, state, err, want)
		}
	}
	e.want(ExitOK, "bob  organisation globex", "user", "list", "--data=one")

	const ended = `organisation acme has ended; "avatard org add" registers it again`
	e.want(ExitFailed, ended, add...)
	e.want(ExitFailed, ended, append(add, "--new-org")...)
	e.want(ExitFailed, ended, "user", "move", "kim", "--org=acme", issuer, "--data=one")
	e.want(ExitFailed, ended, "user", "list", "--org=acme", "--data=one")
	e.want(ExitOK, "organisation acme added", "org", "add", "acme", "--data=one")
	e.want(ExitOK, "user eve added", add...)
}
