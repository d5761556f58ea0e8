package cluster

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"example.org/avatard/storage"
)

// After a delete nothing of the person is listed: not the version that was kept, not one that arrived without anybody knowing, no delete marker
// that somebody's tool has made. Other people's pictures stay.
func TestNothingIsListed(t *testing.T) {
	for name, versioned := range map[string]bool{"versions": true, "no versions": false} {
		t.Run(name, func(t *testing.T) {
			o := options(t, versioned)
			s := openStore(t, o)
			u, other := addUser(t, s, "u"), addUser(t, s, "other")
			put(t, s, other)
			stays := listed(t, o)
			generation := put(t, s, u)
			folder := s.folders.of(u.Issuer, u.ID)
			stray := func(name string) {
				if _, err := servers.Client.PutObject(t.Context(), o.Bucket.Bucket, name, strings.NewReader("stray"), 5, minio.PutObjectOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			stray(folder + generation)               // a second version, as a request that was sent twice leaves it
			stray(folder + newGeneration().String()) // an upload that arrived late
			stray(folder + "thumbnail")
			if versioned { // a tool deletes without naming the version
				if err := servers.Client.RemoveObject(t.Context(), o.Bucket.Bucket, folder+generation, minio.RemoveObjectOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			remove(t, s, u)
			if left := listed(t, o); !slices.Equal(left, stays) {
				t.Errorf("listed after the delete: %v, want %v", left, stays)
			}
			put(t, s, u)
			stray(folder + newGeneration().String())
			put(t, s, u)
			if left := listed(t, o); len(left) != len(stays)+1 {
				t.Errorf("listed after a replacement: %v, want one more than %v", left, stays)
			}
			if _, err := s.EraseUser(t.Context(), removalOf(u)); err != nil {
				t.Fatal(err)
			}
			if left := listed(t, o); !slices.Equal(left, stays) {
				t.Errorf("listed after the user is gone: %v, want %v", left, stays)
			}
		})
	}
}

// What lies in the bucket and in the database is not the picture.
func TestPicturesAreEncrypted(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	name := s.folders.of(u.Issuer, u.ID) + generation
	if strings.Contains(name, u.ID+"/") {
		t.Errorf("the object's name %s has the id of its user", name)
	}
	object, err := servers.Client.GetObject(t.Context(), o.Bucket.Bucket, name, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(object); err != nil || raw.Len() < 3000 || bytes.Contains(raw.Bytes(), []byte("pppppppp")) {
		t.Errorf("the object has %d bytes, %v; want ciphertext", raw.Len(), err)
	}
}

// A delete that waits for another one of the same person, in another process, is answered when the bytes are gone and not when the other
// one's intent is on record.
func TestDeleteWaitsForWhatAnotherHasBegun(t *testing.T) {
	o := options(t, true)
	transport := o.Bucket.Transport.(*breakable)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	// Another process has its intent open: the row is locked.
	conn := sql(t, o)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), `
		WITH p AS (SELECT uid, gen, version FROM person WHERE id = 'u' FOR UPDATE),
		 u AS (UPDATE person SET gen = NULL, key = NULL, version = NULL, format = NULL, size = NULL, receipt = p.gen, sequence = sequence + 1 FROM p WHERE person.uid = p.uid)
		INSERT INTO work (gen, uid, state, reason, version, n, begun_at, due) SELECT gen, uid, 3, 1, version, nextval('receipt_number'), now(), now() + interval '1 h' FROM p`)
	if err != nil {
		t.Fatal(err)
	}
	transport.broken.Store(true)
	answered := make(chan error, 1)
	go func() {
		_, err := s.Remove(t.Context(), removalOf(u))
		answered <- err
	}()
	awaitLock(t, o)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Remove while the bytes cannot be erased = %v, want %v", err, storage.ErrUnavailable)
	}
	transport.broken.Store(false)
	if res := remove(t, s, u); res.Details.Sequence != 3 || res.Receipt == "" {
		t.Errorf("Remove that resumes = %+v, want sequence 3 and a receipt", res)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}

// awaitLock returns when somebody waits for a lock in the store's database.
func awaitLock(t *testing.T, o Options) {
	t.Helper()
	conn := sql(t, o)
	for waiting := 0; waiting == 0; {
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// lockRow locks a person's row, as another process that is slow would, until the function is called.
func lockRow(t *testing.T, o Options, id string) (unlock func()) {
	t.Helper()
	tx, err := sql(t, o).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM person WHERE id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A caller who leaves during the first step has an answer at once, and nothing of the change happens afterwards.
func TestNothingBeginsWithoutItsCaller(t *testing.T) {
	for _, name := range []string{"lock_timeout", "statement_timeout"} { // a step that does not end with its caller does not end here
		before := settings[name]
		settings[name] = "0"
		t.Cleanup(func() { settings[name] = before })
	}
	o := options(t, true)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	for name, call := range map[string]func(context.Context) error{
		"Remove":    func(ctx context.Context) error { _, err := s.Remove(ctx, removalOf(u)); return err },
		"Put":       func(ctx context.Context) error { _, err := s.Put(ctx, uploadOf(u, 500)); return err },
		"EraseUser": func(ctx context.Context) error { _, err := s.EraseUser(ctx, removalOf(u)); return err },
	} {
		unlock := lockRow(t, o, "u")
		ctx, cancel := context.WithCancel(t.Context())
		answered := make(chan error, 1)
		go func() { answered <- call(ctx) }()
		awaitLock(t, o)
		cancel()
		select {
		case err := <-answered:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s whose caller leaves = %v, want %v", name, err, context.Canceled)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s goes on without its caller", name)
		}
		unlock()
		info, err := s.Stat(t.Context(), u, acme)
		if err != nil || info.Generation != generation || info.Details.Sequence != 2 {
			t.Errorf("after %s: %+v, %v, want the picture as it was", name, info, err)
		}
		// A change that comes next does not wait for a claim that nobody has.
		if _, _, err := s.MoveUser(t.Context(), u, acme, by); err != nil {
			t.Errorf("MoveUser after %s = %v", name, err)
		}
	}
}

// Changes of one user that wait take one connection, so that everybody else has the others.
func TestOneUserDoesNotTakeAllConnections(t *testing.T) {
	o := options(t, true)
	o.Connections = 2
	s := openStore(t, o)
	u, other := addUser(t, s, "u"), addUser(t, s, "other")
	put(t, s, u)
	unlock := lockRow(t, o, "u")
	const callers = 40
	answered := make(chan error, callers)
	for range callers {
		go func() {
			_, err := s.Remove(t.Context(), removalOf(u))
			answered <- err
		}()
	}
	awaitLock(t, o)
	if info, err := s.Stat(t.Context(), other, acme); err != nil || info.Details.Sequence != 1 {
		t.Errorf("Stat of somebody else = %+v, %v", info, err)
	}
	unlock()
	for range callers {
		if err := <-answered; err != nil {
			t.Errorf("Remove = %v", err)
		}
	}
}

// An upload whose object cannot be stored is given up, and nothing of it stays, also when it arrives after all.
func TestUploadThatArrivesLate(t *testing.T) {
	o := options(t, true)
	transport := o.Bucket.Transport.(*breakable)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	generation := put(t, s, u)
	transport.lose.Store(true)
	_, err := s.Put(t.Context(), uploadOf(u, 900))
	transport.lose.Store(false)
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("Put whose answer is lost = %v, want %v", err, storage.ErrUnavailable)
	}
	if info, err := s.Stat(t.Context(), u, acme); err != nil || info.Generation != generation {
		t.Errorf("after the upload: %+v, %v, want the picture before", info, err)
	}
	if left := listed(t, o); len(left) != 1 {
		t.Errorf("listed after the upload: %v, want one", left)
	}
	transport.deliver(t)
	if left := listed(t, o); len(left) != 2 {
		t.Fatalf("listed after it has arrived: %v, want two", left)
	}
	conn := sql(t, o)
	for _, tries := range []int{1, 2, 3, 4} {
		if _, err := conn.Exec(t.Context(), `UPDATE work SET due = now() - interval '1 s'`); err != nil {
			t.Fatal(err)
		}
		if err := s.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := listed(t, o); len(left) != 1 {
			t.Errorf("listed after look %d: %v, want one", tries, left)
		}
		want := looksAgain[min(tries, len(looksAgain)-1)]
		var until time.Duration
		err := conn.QueryRow(t.Context(), `SELECT due - clock_timestamp() FROM work`).Scan(&until)
		if last := tries == len(looksAgain); last != errors.Is(err, pgx.ErrNoRows) || !last && (err != nil || until > want || until < want/2) {
			t.Errorf("look %d: the next one is in %v, %v, want %v", tries, until, err, want)
		}
	}
}

// A delete leaves nothing of an upload that has arrived late, also when there is no picture to be deleted.
func TestDeleteOfWhatArrivedLate(t *testing.T) {
	o := options(t, true)
	transport := o.Bucket.Transport.(*breakable)
	s := openStore(t, o)
	for name, change := range map[string]func(u storage.UserKey) error{
		"Remove":    func(u storage.UserKey) error { _, err := s.Remove(t.Context(), removalOf(u)); return err },
		"EraseUser": func(u storage.UserKey) error { _, err := s.EraseUser(t.Context(), removalOf(u)); return err },
	} {
		u := addUser(t, s, name)
		transport.lose.Store(true)
		_, err := s.Put(t.Context(), uploadOf(u, 900))
		transport.lose.Store(false)
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("Put whose answer is lost = %v, want %v", err, storage.ErrUnavailable)
		}
		remove(t, s, u)
		transport.deliver(t)
		if left := listed(t, o); len(left) != 1 {
			t.Fatalf("listed after it has arrived: %v, want one", left)
		}
		if err := change(u); err != nil {
			t.Errorf("%s = %v", name, err)
		}
		if left := listed(t, o); len(left) > 0 {
			t.Errorf("listed after %s: %v", name, left)
		}
	}
}

// A process that dies in the middle of an upload holds nobody up for longer than its claim lasts, and leaves nothing.
func TestClaimOfTheDead(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	dead := newGeneration()
	conn := sql(t, o)
	claim := func(due string) {
		_, err := conn.Exec(t.Context(), `WITH p AS (UPDATE person SET claim = $1, claim_due = clock_timestamp() + $2::interval RETURNING uid)
			INSERT INTO work (gen, uid, state, reason, begun_at, due) SELECT $1, uid, 1, 3, now(), clock_timestamp() + $2::interval FROM p
			ON CONFLICT (gen) DO UPDATE SET due = excluded.due`, dead, due)
		if err != nil {
			t.Fatal(err)
		}
	}
	claim("1 h")
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := s.Remove(ctx, removalOf(u))
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("Remove while an upload is under way = %v, want it to wait", err)
	default:
	}
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("Remove whose caller leaves = %v", err)
	}
	if _, err := servers.Client.PutObject(t.Context(), o.Bucket.Bucket, s.folders.of(u.Issuer, u.ID)+dead.String(), strings.NewReader("half"), 4, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	claim("-1 s")
	if res := remove(t, s, u); res.Details.Sequence != 3 {
		t.Errorf("Remove = %+v, want sequence 3", res)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}
