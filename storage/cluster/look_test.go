package cluster

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// Commands leave a schema of an earlier version as it is, which servers of an earlier version may be working with, and say what brings it
// forward.
func TestCommandsLeaveAnOlderSchema(t *testing.T) {
	o := options(t, true)
	openStore(t, o)
	before, here := migrations, At(o)
	migrations = append(migrations[:len(migrations):len(migrations)], `SELECT 1`)
	t.Cleanup(func() { migrations = before })
	none := func(storage.Finding) error { return nil }
	commands := map[string]func() error{
		"check": func() error { _, err := here.Inspect(t.Context(), storage.CheckOptions{}, none); return err },
		"repair": func() error {
			_, err := here.Inspect(t.Context(), storage.CheckOptions{Repair: true}, none)
			return err
		},
		"open": func() error {
			s, err := here.Open(t.Context(), storage.OpenOptions{AsIs: true})
			if err == nil {
				err = s.Close()
			}
			return err
		},
	}
	for name, command := range commands {
		if err := command(); err == nil || !strings.Contains(err.Error(), `"avatard migrate"`) {
			t.Errorf("%s = %v, want an error that names avatard migrate", name, err)
		}
	}
	if version, newest, err := here.Schema(t.Context()); err != nil || version != newest-1 {
		t.Errorf("Schema = %d, %d, %v, want the version of before", version, newest, err)
	}
	if _, err := here.Migrate(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for name, command := range commands {
		if err := command(); err != nil {
			t.Errorf("%s after avatard migrate = %v", name, err)
		}
	}
	migrations = before
	if _, err := sql(t, o).Exec(t.Context(), `UPDATE schema_version SET oldest_program = version`); err != nil {
		t.Fatal(err)
	}
	if err := commands["check"](); !errors.Is(err, storage.ErrNewerSchema) {
		t.Errorf("check of a newer schema = %v, want %v", err, storage.ErrNewerSchema)
	}
}

// A check that repairs nothing stores nothing in the bucket, makes nothing in the database, and refuses a bucket that is another store's.
func TestCheckOnlyLooks(t *testing.T) {
	o := options(t, true)
	look := func() (storage.CheckSummary, error) {
		return At(o).Inspect(t.Context(), storage.CheckOptions{}, func(f storage.Finding) error { t.Errorf("found: %+v", f); return nil })
	}
	if _, err := look(); !errors.Is(err, storage.ErrNoStore) {
		t.Errorf("Inspect of an empty database = %v, want %v", err, storage.ErrNoStore)
	}
	s := openStore(t, o)
	s.sweeping() // only the check asks
	put(t, s, addUser(t, s, "u"))
	var changes atomic.Int64
	o.Bucket.Transport.(*breakable).script = func(r *http.Request) *http.Response {
		if r.Method != http.MethodGet {
			changes.Add(1)
		}
		return nil
	}
	if sum, err := look(); err != nil || sum.Users != 1 || sum.Pictures != 1 {
		t.Errorf("Inspect = %+v, %v, want a user and a picture", sum, err)
	}
	if n := changes.Load(); n > 0 {
		t.Errorf("a check sent %d requests that change something", n)
	}
	o.Bucket.Bucket = servers.New(t, true).Bucket
	if _, err := look(); !errors.Is(err, ErrUnsuitable) {
		t.Errorf("Inspect with another bucket = %v, want %v", err, ErrUnsuitable)
	}
}

// A process that has seen an empty database is not confused by another one that has made the store since, and claimed the bucket.
func TestStoreThatIsMadeMeanwhile(t *testing.T) {
	o := options(t, true)
	conn := sql(t, o)
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, int64(examineLock)); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := Open(t.Context(), o, storage.OpenOptions{})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	awaitLock(t, o)
	if _, err := migrate(t.Context(), conn, migrations, nil); err != nil {
		t.Fatal(err)
	}
	var id []byte
	if err := conn.QueryRow(t.Context(), `SELECT bucket_id FROM installation`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	b, err := bucket.New(o.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Claim(t.Context(), hex.EncodeToString(id), true); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_advisory_unlock($1)`, int64(examineLock)); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Open = %v", err)
	}
}
