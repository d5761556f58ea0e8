package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/clustertest"
)

// A standby alone is refused. With an address that names both servers, and a synchronous standby, a store outlives its primary: what was answered
// is there, and what was deleted stays deleted.
func TestFailOver(t *testing.T) {
	own, err := clustertest.Run(clustertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Stop)
	made := own.New(t, false)
	standby, socket, err := own.StartStandby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Kill)
	o := options(t, true) // for its bucket
	o.Database = fmt.Sprintf("host='%s' user=avatard dbname=%s", socket, made.Name)
	if _, err := Open(t.Context(), o, storage.OpenOptions{}); err == nil || !strings.Contains(err.Error(), "name the primary") {
		t.Errorf("Open of a standby = %v", err)
	}
	conn := sqlOf(t, made.Database)
	for _, statement := range []string{`ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n == 0; { // the server does it in its own time
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	primary := strings.Trim(strings.TrimPrefix(strings.Fields(made.Database)[0], "host="), "'")
	o.Database = fmt.Sprintf("host='%s,%s' user=avatard dbname=%s target_session_attrs=read-write", socket, primary, made.Name)
	s := openStore(t, o)
	gone, stays := addUser(t, s, "gone"), addUser(t, s, "stays")
	put(t, s, gone)
	generation := put(t, s, stays)
	removed := remove(t, s, gone)

	other := sqlOf(t, fmt.Sprintf("host='%s' user=avatard dbname=%s", socket, made.Name))
	own.Database.Kill()
	for _, statement := range []string{`SELECT pg_promote()`, `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`} {
		if _, err := other.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // until all connections that were cut are noticed
		if err = s.Ready(t.Context()); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("Ready = %v", err)
	}
	if p, err := s.Get(t.Context(), stays, acme); err != nil || p.Generation != generation {
		t.Errorf("Get = %q, %v, want %s", p.Generation, err, generation)
	}
	if _, err := s.Get(t.Context(), gone, acme); !errors.Is(err, storage.ErrNoPicture) {
		t.Errorf("Get of what was deleted = %v, want %v", err, storage.ErrNoPicture)
	}
	if again := remove(t, s, gone); again != removed {
		t.Errorf("Remove again = %+v, want %+v", again, removed)
	}
	remove(t, s, stays)
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("listed: %v", left)
	}
}
