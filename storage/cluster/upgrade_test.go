package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

//go:embed schema/next.sql
var addedByNext string

// nextRelease returns options of a program that knows one version more of the schema.
func nextRelease(o Options) Options {
	o.migrations = append(slices.Clone(migrations), addedByNext)
	return o
}

// everyCall makes each call of two stores that are one, by turns, so that each finds what the other has done.
func everyCall(t *testing.T, a, b *Store, id string) {
	t.Helper()
	u := addUser(t, a, id)
	for range 2 {
		generation := put(t, a, u)
		if got, err := b.Get(t.Context(), u, acme); err != nil || got.Generation != generation {
			t.Errorf("%s: Get = %s, %v, want %s", id, got.Generation, err, generation)
		}
		put(t, b, u)
		remove(t, a, u)
		if _, err := b.Get(t.Context(), u, acme); !errors.Is(err, storage.ErrNoPicture) {
			t.Errorf("%s: Get behind a delete = %v, want %v", id, err, storage.ErrNoPicture)
		}
		remove(t, b, u)
		a, b = b, a
	}
	put(t, a, u)
	if _, err := b.ListUsers(t.Context(), storage.UserQuery{ID: id}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(a.sweepOnce(t.Context()), b.sweepOnce(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := b.EraseUser(t.Context(), removalOf(u)); err != nil {
		t.Error(err)
	}
}

// The program before goes on when a new one has brought the schema forward: on connections whose statements were prepared before, and when
// it is started again. Of eight new ones that come at once, one does it.
func TestPreviousAndNextTogether(t *testing.T) {
	o := options(t, true)
	o.Connections = 2
	previous := openStore(t, o)
	everyCall(t, previous, previous, "before")
	var brought sync.WaitGroup
	stores := make([]*Store, 8)
	for i := range stores {
		brought.Go(func() {
			var err error
			if stores[i], err = Open(t.Context(), nextRelease(o), storage.OpenOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	brought.Wait()
	if t.Failed() {
		return
	}
	for _, s := range stores {
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	for i, s := range stores {
		everyCall(t, previous, s, fmt.Sprint("beside-", i))
	}
	again := openStore(t, o)
	everyCall(t, again, stores[0], "rolled-back")
	for _, s := range []*Store{previous, again, stores[0]} {
		if found, _ := checked(t, s, true); len(found) > 0 {
			t.Errorf("a check: %+v", found)
		}
		exportOf(t, s, storage.ExportOptions{})
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
	if version, newest, err := At(o).Schema(t.Context()); err != nil || version != newest+1 {
		t.Errorf("Schema = %d, %d, %v, want one version more than this program knows", version, newest, err)
	}
}

// A change whose statements were prepared before a column got another type is made all the same, on every connection.
func TestChangedPlansAreMadeAgain(t *testing.T) {
	o := options(t, true)
	o.Connections = 1
	s := openStore(t, o)
	u := addUser(t, s, "u")
	for range 2 {
		put(t, s, u)
		remove(t, s, u)
	}
	put(t, s, u)
	if _, err := sql(t, o).Exec(t.Context(), `ALTER TABLE work ALTER COLUMN state TYPE integer`); err != nil {
		t.Fatal(err)
	}
	remove(t, s, u)
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}

// A migration waits for a transaction that reads for long, such as a backup, and meanwhile calls are answered.
func TestMigrationWaitsForReaders(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	release := holdSnapshot(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conn := sql(t, o)
	opened := make(chan error, 1)
	go func() {
		next, err := Open(ctx, nextRelease(o), storage.OpenOptions{})
		if err == nil {
			err = next.Close()
		}
		opened <- err
	}()
	// The migration has to give up once, and to let the advisory lock go, before the reader ends.
	waitForMigration(t, conn, true)
	waitForMigration(t, conn, false)
	put(t, s, u)
	remove(t, s, u)
	release()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// waitForMigration waits until somebody migrates, or nobody.
func waitForMigration(t *testing.T, conn *pgx.Conn, want bool) {
	t.Helper()
	const held = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
	for migrating := !want; migrating != want; {
		if err := conn.QueryRow(t.Context(), held, int64(migrationLock)).Scan(&migrating); err != nil {
			t.Fatal(err)
		}
	}
}
