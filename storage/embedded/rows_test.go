package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// checkRemembered demands that what is remembered of users is what the metadata says. Every test that opens a store ends
// with it.
func checkRemembered(t testing.TB, s *Store) {
	t.Helper()
	s.db.lock()
	defer s.db.mu.Unlock()
	if s.db.conn == nil || !s.db.conn.GetAutocommit() {
		return
	}
	s.rows.mu.Lock()
	defer s.rows.mu.Unlock()
	for _, m := range []map[rowKey]*userRow{s.rows.known.young, s.rows.known.old, s.rows.unknown.young, s.rows.unknown.old} {
		for key, row := range m {
			found, err := s.db.userRow(key.iid, key.id)
			if err != nil {
				return // the metadata was spoilt on purpose
			}
			if (row == nil) != (found == nil) || row != nil && *row != *found {
				t.Errorf("remembered of %q: %+v, the metadata has %+v", key.id, row, found)
			}
		}
	}
}

// heldLog is a log whose syncs wait, while it is held, until they are let go.
type heldLog struct {
	held    atomic.Bool
	waiting chan struct{} // gets one for each sync that waits
	let     chan struct{} // takes one for each that may go on
}

func newHeldLog() *heldLog {
	return &heldLog{waiting: make(chan struct{}, 1), let: make(chan struct{})}
}

type heldFile struct {
	File
	log *heldLog
}

func (h *heldLog) wrap(name string, f File) File {
	if name != logName {
		return f
	}
	return &heldFile{f, h}
}

func (f *heldFile) Sync() error {
	if f.log.held.Load() {
		f.log.waiting <- struct{}{}
		<-f.log.let
	}
	return f.File.Sync()
}

// returns fails the test when f does not return in a time that only a call that hangs takes.
func returns(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s waits for somebody else's sync", what)
	}
}

// A read does not wait for the sync of another user's change: it has its answer while that sync is held.
func TestReadsDoNotWaitForASync(t *testing.T) {
	ctx := context.Background()
	disk := newHeldLog()
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: disk.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 3000)
	if _, _, err := s.AddUser(ctx, testKey(2), testOrg, testBy); err != nil {
		t.Fatal(err)
	}
	want := upload(1, 3000).Picture.Data
	look := func(when string) {
		if p, err := s.Get(ctx, testKey(1), testOrg); err != nil || !bytes.Equal(p.Data, want) {
			t.Errorf("%s: Get = %d bytes, %v", when, len(p.Data), err)
		}
		if info, err := s.Stat(ctx, testKey(1), testOrg); err != nil || info.Size != int64(len(want)) {
			t.Errorf("%s: Stat = %+v, %v", when, info, err)
		}
		if _, err := s.Get(ctx, testKey(1), "another"); !errors.Is(err, storage.ErrOtherOrganization) {
			t.Errorf("%s: Get in another organisation = %v", when, err)
		}
		if _, err := s.Get(ctx, testKey(2), testOrg); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("%s: Get of who has none = %v", when, err)
		}
		if _, err := s.Get(ctx, testKey(3), testOrg); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("%s: Get of nobody = %v", when, err)
		}
		if _, err := s.Get(ctx, storage.UserKey{Issuer: "nowhere", ID: "user-1"}, testOrg); !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("%s: Get of an unknown issuer's = %v", when, err)
		}
	}
	look("before")
	disk.held.Store(true)
	put := make(chan error)
	go func() {
		_, err := s.Put(ctx, upload(9, 2000))
		put <- err
	}()
	for round := range 2 { // of reserving and of activating
		<-disk.waiting
		returns(t, "a read", func() { look(fmt.Sprintf("in round %d of another's upload", round+1)) })
		s.rows.clear()
		returns(t, "a read of what nobody read lately", func() { look(fmt.Sprintf("in round %d, nothing remembered", round+1)) })
		disk.let <- struct{}{}
	}
	if err := <-put; err != nil {
		t.Fatal(err)
	}
	disk.held.Store(false)
	checkRemembered(t, s)
}

// The users that are remembered stay within their bounds, those in use are kept, and unknown ids do not push out users who exist.
func TestRowsAreBounded(t *testing.T) {
	var r rows
	r.init()
	key := func(kind string, i int) rowKey { return rowKey{1, fmt.Sprintf("%s-%064d", kind, i)} }
	one := entryBytes(key("user", 0), &userRow{organization: testOrg})
	favourite := key("favourite", 0)
	r.keep(favourite, &userRow{organization: testOrg})
	for i := range int(3 * maxRowBytes / one) {
		r.keep(key("user", i), &userRow{organization: testOrg})
		if _, ok := r.get(favourite); !ok {
			t.Fatalf("who is asked for all the time is forgotten after %d others", i)
		}
	}
	r.get(favourite)
	last := key("user", int(3*maxRowBytes/one)-1)
	for i := range int(3 * maxUnknownBytes / one) {
		r.keep(key("invented", i), nil)
	}
	for _, k := range []rowKey{favourite, last} {
		if row, ok := r.get(k); !ok || row == nil {
			t.Errorf("%s is forgotten for invented ids", k.id)
		}
	}
	for title, s := range map[string]*shelf{"known": &r.known, "unknown": &r.unknown} {
		var bytes, young int64
		for _, m := range []map[rowKey]*userRow{s.young, s.old} {
			for k, row := range m {
				bytes += entryBytes(k, row)
			}
			if young == 0 {
				young = bytes
			}
		}
		if bytes > s.limit || bytes < s.limit/3 || young != s.bytes {
			t.Errorf("%s: %d bytes remembered, %d of them young (counted %d); limit %d", title, bytes, young, s.bytes, s.limit)
		}
	}
	r.forget(favourite)
	if _, ok := r.get(favourite); ok {
		t.Error("what was forgotten is there")
	}
}

// A change that has no user's key and changes users all the same: everything is forgotten.
func TestRowsOfChangesWithoutKey(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, t.TempDir())
	mustPut(t, s, 1, 3000)
	if _, err := s.Get(ctx, testKey(1), testOrg); err != nil {
		t.Fatal(err)
	}
	err := s.queue.submit(ctx, &request{op: &repair{s: s, do: func(r *groupCommit, _ *request) error {
		u, err := r.user(testKey(1), testOrg)
		if err != nil {
			return err
		}
		return r.change(&u)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := s.Stat(ctx, testKey(1), testOrg); err != nil || info.Details.Sequence != 3 {
		t.Errorf("Stat after it = %+v, %v, want sequence 3", info, err)
	}
}
