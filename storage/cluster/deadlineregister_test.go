package cluster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// lateLab is a store that two processes have open, one of them over a network that holds back what it sends.
type lateLab struct {
	t           *testing.T
	here, there *Store
	conn        *pgx.Conn
	u, v        storage.UserKey
}

func (l *lateLab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lateLab) add(u storage.UserKey, org string, by storage.Origin) func() {
	return func() { _, _, err := l.there.AddUser(l.t.Context(), u, org, by); l.must(err) }
}

func (l *lateLab) erase(u storage.UserKey, org string) {
	_, err := l.there.EraseUser(l.t.Context(), storage.Removal{User: u, Organization: org, By: by})
	if !errors.Is(err, storage.ErrUserNotFound) {
		l.must(err)
	}
}

// remove takes a user off the record as programs of an earlier version did: nothing refuses what comes next but that it is too late.
func (l *lateLab) remove(u storage.UserKey, org string) {
	l.erase(u, org)
	_, err := l.conn.Exec(l.t.Context(), `UPDATE person SET ended = false WHERE id = $1`, u.ID)
	l.must(err)
}

func (l *lateLab) open() {
	_, err := l.there.AddOrganization(l.t.Context(), "other", readmitting)
	l.must(err)
}
func (l *lateLab) end() { _, err := l.there.EndOrganization(l.t.Context(), "other", by); l.must(err) }
func (l *lateLab) close() {
	l.remove(l.v, "other")
	_, err := l.there.RemoveOrganization(l.t.Context(), "other", by)
	l.must(err)
}

func (l *lateLab) registered() bool {
	_, err := l.there.Stat(l.t.Context(), l.u, acme)
	return err == nil
}

func (l *lateLab) is(states ...storage.RegistrationState) func() bool {
	return func() bool {
		state, err := l.there.OrganizationState(l.t.Context(), "other")
		l.must(err)
		return slices.Contains(states, state)
	}
}

// late is a call that arrives late.
type late struct {
	call       func() error
	done, undo func() // what the call does, and what is acknowledged after it
	look       func() bool
	want       bool
}

func (l *lateLab) registrations() map[string]late {
	addUser := func(u storage.UserKey, org string, by storage.Origin) func() error {
		return func() error { _, _, err := l.here.AddUser(l.t.Context(), u, org, by); return err }
	}
	addOrganization := func(by storage.Origin) func() error {
		return func() error { _, err := l.here.AddOrganization(l.t.Context(), "other", by); return err }
	}
	registering := uploadOf(l.u, 700)
	registering.Register = true
	removed := func() { l.remove(l.u, acme) }
	has := l.is(storage.Registered, storage.Ending)
	return map[string]late{
		"AddUser":                       {addUser(l.u, acme, by), l.add(l.u, acme, by), removed, l.registered, false},
		"AddUser of a new organisation": {addUser(l.v, "other", by), l.add(l.v, "other", by), l.close, has, false},
		"AddUser that readmits":         {addUser(l.u, acme, readmitting), l.add(l.u, acme, readmitting), func() { l.erase(l.u, acme) }, l.registered, false},
		"Put": {func() error { _, err := l.here.Put(l.t.Context(), registering); return err },
			l.add(l.u, acme, by), removed, l.registered, false},
		"AddOrganization":               {addOrganization(by), l.open, l.close, has, false},
		"AddOrganization that readmits": {addOrganization(readmitting), l.open, func() { l.end(); l.close() }, has, false},
		"EndOrganization": {func() error { l.open(); _, err := l.here.EndOrganization(l.t.Context(), "other", by); return err },
			l.end, l.open, l.is(storage.Ending), false},
		"RemoveOrganization": {func() error { _, err := l.here.RemoveOrganization(l.t.Context(), "other", by); return err }, l.close, l.open, has, true},
	}
}

// A registration, or the end of an organisation, that arrives after its caller had an answer does not undo what was acknowledged since.
func TestRegistrationThatArrivesLate(t *testing.T) {
	o := options(t, false)
	there := openStore(t, o)
	n := new(network)
	o.dial, o.Connections = n.dial, 1
	here := openStore(t, o)
	here.sweeping() // only the test sends something
	l := &lateLab{t, here, there, sql(t, o), storage.UserKey{Issuer: "https://issuer.test", ID: "u"}, storage.UserKey{Issuer: "https://issuer.test", ID: "v"}}
	for name, row := range l.registrations() {
		l.must(row.call()) // the statements are prepared
		row.undo()
		n.down.Store(true)
		here.stepLimit = 50 * time.Millisecond
		if err := row.call(); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s whose connection is lost = %v, want %v", name, err, storage.ErrUnavailable)
		}
		here.stepLimit = stepLimit
		row.done()
		row.undo()
		n.deliver(t)
		if got := row.look(); got != row.want {
			t.Errorf("after %s has arrived: there is one = %v, want %v", name, got, row.want)
		}
		l.remove(l.u, acme)
		l.open()
		l.close()
	}
}

// What arrives too late and is answered all the same is told as a failure, and not that there was nothing to do.
func TestOrganizationTooLate(t *testing.T) {
	s := openStore(t, options(t, false))
	if _, err := s.AddOrganization(t.Context(), "there", by); err != nil {
		t.Fatal(err)
	}
	s.stepLimit = -time.Second
	if created, err := s.AddOrganization(t.Context(), "other", by); created || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("AddOrganization = %v, %v, want %v", created, err, storage.ErrUnavailable)
	}
	if ended, err := s.EndOrganization(t.Context(), "there", by); ended || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("EndOrganization = %v, %v, want %v", ended, err, storage.ErrUnavailable)
	}
	if removed, err := s.RemoveOrganization(t.Context(), "there", by); removed || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("RemoveOrganization = %v, %v, want %v", removed, err, storage.ErrUnavailable)
	}
}
