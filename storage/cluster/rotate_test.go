package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/internal/envelope"
)

// A key that is added to the file wraps what is stored from then on, and what is there; then the old one can go, and what it could unwrap
// alone is of no use to anybody.
func TestKeysAreRotated(t *testing.T) {
	o := options(t, true)
	s := openStore(t, o)
	u, removed := addUser(t, s, "u"), addUser(t, s, "removed")
	addUser(t, s, "none")
	put(t, s, u)
	put(t, s, removed)
	old, err := os.ReadFile(o.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	var before []byte
	keyOf := `SELECT key FROM person WHERE id = 'u'`
	if err := sql(t, o).QueryRow(t.Context(), keyOf).Scan(&before); err != nil {
		t.Fatal(err)
	}
	remove(t, s, removed)
	added := newKey(t, "second")
	for step, content := range []string{string(old) + string(added), string(added)} {
		if err := os.WriteFile(o.KeyFile, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := s.keys.Reload(); err != nil || !changed {
			t.Fatalf("Reload = %v, %v, want true, nil", changed, err)
		}
		if finished, err := s.rewrapAll(t.Context()); err != nil || !finished {
			t.Fatalf("rewrapAll = %v, %v", finished, err)
		}
		if p, err := s.Get(t.Context(), u, acme); err != nil || len(p.Data) != 3000 {
			t.Errorf("step %d: Get = %d bytes, %v", step, len(p.Data), err)
		}
	}
	var after []byte
	if err := sql(t, o).QueryRow(t.Context(), keyOf).Scan(&after); err != nil || !strings.HasPrefix(string(after), "\x06second") {
		t.Errorf("the key is wrapped as %.8q, %v", after, err)
	}
	if _, err := sql(t, o).Exec(t.Context(), `UPDATE person SET key = $1 WHERE id = 'u'`, before); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), u, acme); !errors.Is(err, envelope.ErrNoKey) {
		t.Errorf("Get with a key of before, from a backup of the database = %v, want %v", err, envelope.ErrNoKey)
	}
	if changed, err := s.keys.Reload(); err != nil || changed {
		t.Errorf("Reload of a file that has not changed = %v, %v", changed, err)
	}
	// What cannot be used changes nothing.
	if err := os.WriteFile(o.KeyFile, fmt.Appendf(nil, "%sthird nonsense\n", added), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.keys.Reload(); err == nil || changed || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("Reload of nonsense = %v, %v, want an error without it", changed, err)
	}
	put(t, s, u)
}

// What keeps a process from renewing all keys once – another one that did it and died, a fault, a start in between – does not keep it from
// doing so later, and when all is done it costs no statement.
func TestRotationIsFinished(t *testing.T) {
	o := options(t, false)
	tracer := new(statementTracer)
	o.tracer = tracer
	s := openStore(t, o)
	s.sweeping() // only the test looks: the sweeper's statements would be counted
	for _, id := range []string{"u", "v"} {
		put(t, s, addUser(t, s, id))
	}
	conn := sql(t, o)
	wrappedBy := func(id string) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM person WHERE substr(key, 1, length($1::bytea)) = $1`, append([]byte{byte(len(id))}, id...)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r := rotation{newest: string(s.keys.NewestPrefix())}
	look := func(ctx context.Context, what, key string, want int, wantError bool) {
		t.Helper()
		err := s.rotateOnce(ctx, &r)
		if n := wrappedBy(key); (err != nil) != wantError || n != want {
			t.Errorf("%s: %v, and %d keys are wrapped by %q, want %d", what, err, n, key, want)
		}
	}
	addKey(t, o.KeyFile, "second")
	look(t.Context(), "the look that finds the key", "second", 0, false) // an upload of before may be under way
	for _, statement := range []string{`SELECT pg_advisory_lock($1)`, `SELECT pg_advisory_unlock($1)`} {
		if _, err := conn.Exec(t.Context(), statement, int64(rotateLock)); err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{true: 2}[strings.Contains(statement, "unlock")]
		look(t.Context(), statement, "second", want, false)
	}
	before := tracer.n.Load()
	look(t.Context(), "when all is done", "second", 2, false)
	if n := tracer.n.Load() - before; n != 0 {
		t.Errorf("a look when all is done takes %d statements, want none", n)
	}
	addKey(t, o.KeyFile, "third")
	look(t.Context(), "the look that finds the third", "third", 0, false)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	look(canceled, "a look that fails", "third", 0, true)
	look(t.Context(), "the look behind it", "third", 2, false)
	addKey(t, o.KeyFile, "fourth")
	s, r = openStore(t, o), rotation{newest: "\x06fourth"}
	look(t.Context(), "after a start", "fourth", 2, false)
}

// statementTracer counts the statements that are sent outside of pipelines.
type statementTracer struct{ n atomic.Int64 }

func (c *statementTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if strings.Contains(d.SQL, "person") || strings.Contains(d.SQL, "advisory") {
		c.n.Add(1)
	}
	return ctx
}

func (c *statementTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A server that has not looked at its file of keys since another one began to use a new key reads what that one has stored.
func TestKeyThatAnotherServerHasRead(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	addKey(t, o.KeyFile, "second")
	put(t, openStore(t, o), u)
	if p, err := s.Get(t.Context(), u, acme); err != nil || len(p.Data) != 3000 {
		t.Errorf("Get = %d bytes, %v", len(p.Data), err)
	}
}

// addKey appends a new key to a file of keys.
func addKey(t *testing.T, file, id string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(newKey(t, id))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// newKey returns a line with a key for a file of keys.
func newKey(t *testing.T, id string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), id)
	if err := envelope.Generate(file, id); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return line
}
