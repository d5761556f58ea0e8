package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avatard/storage/cluster/internal/envelope"
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
		if err := s.rewrapAll(t.Context()); err != nil {
			t.Fatal(err)
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
