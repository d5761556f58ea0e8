package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// Eight processes that start at once on an empty database and an empty bucket all serve, and the schema was made once.
func TestEightStartAtOnce(t *testing.T) {
	o := options(t, true)
	var made atomic.Int64
	var wg sync.WaitGroup
	stores := make([]*Store, 8)
	for i := range stores {
		wg.Go(func() {
			conn, err := pgx.Connect(t.Context(), o.Database+" search_path=avatard")
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close(context.Background()) }()
			if _, err := migrate(t.Context(), conn, migrations, func(int) { made.Add(1) }); err != nil {
				t.Error(err)
			}
			if stores[i], err = Open(t.Context(), o, storage.OpenOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	defer func() {
		for _, s := range stores {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	if n := made.Load(); n != int64(len(migrations)) {
		t.Errorf("%d migrations were made, want %d", n, len(migrations))
	}
	for i, s := range stores {
		u := addUser(t, s, fmt.Sprint("user-", i))
		put(t, s, u)
		remove(t, stores[(i+1)%len(stores)], u)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}

// A program works with a newer schema that names it as new enough, and with no other.
func TestNewerSchema(t *testing.T) {
	o := options(t, true)
	running := openStore(t, o)
	conn := sql(t, o)
	for _, c := range []struct {
		version, oldest int
		want            error
	}{
		{len(migrations), oldestProgram, nil},
		{len(migrations) + 1, len(migrations), nil},
		{len(migrations) + 1, len(migrations) + 1, storage.ErrNewerSchema},
		{len(migrations) + 7, 1, nil},
	} {
		if _, err := conn.Exec(t.Context(), `UPDATE schema_version SET version = $1, oldest_program = $2`, c.version, c.oldest); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), o, storage.OpenOptions{})
		if !errors.Is(err, c.want) {
			t.Errorf("Open with version %d for programs from %d = %v, want %v", c.version, c.oldest, err, c.want)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := running.Ready(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("Ready with version %d for programs from %d = %v, want %v", c.version, c.oldest, err, c.want)
		}
		if version, newest, err := At(o).Schema(t.Context()); !errors.Is(err, c.want) || version != c.version || newest != len(migrations) {
			t.Errorf("Schema = %d, %d, %v, want %d, %d, %v", version, newest, err, c.version, len(migrations), c.want)
		}
		if from, err := At(o).Migrate(t.Context(), nil); !errors.Is(err, c.want) || err == nil && from != c.version {
			t.Errorf("Migrate = %d, %v, want %d, %v", from, err, c.version, c.want)
		}
	}
}

// A role that may only read and write the tables is enough where the schema is there.
func TestLeastPrivilege(t *testing.T) {
	o := options(t, true)
	openStore(t, o)
	conn := sql(t, o)
	for _, statement := range []string{
		`DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN duplicate_object THEN END $$`,
		`GRANT USAGE ON SCHEMA avatard TO clerk`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA avatard TO clerk`,
		`GRANT USAGE ON ALL SEQUENCES IN SCHEMA avatard TO clerk`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	o.Database = strings.Replace(o.Database, "user=avatard", "user=clerk", 1)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	put(t, s, u)
	if _, err := s.EraseUser(t.Context(), removalOf(u)); err != nil {
		t.Fatal(err)
	}
	if found, _ := checked(t, s, true); len(found) > 0 {
		t.Errorf("a check: %+v", found)
	}
	exportOf(t, s, storage.ExportOptions{})
}
