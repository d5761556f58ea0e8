package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage"
)

// A role that does not own the schema serves with the privileges that the page about the cluster names. With one less it is refused, with a
// sentence that names it.
func TestPrivilegesOfTheRole(t *testing.T) {
	o := options(t, true)
	openStore(t, o)
	conn, role := sql(t, o), o.Database[strings.LastIndex(o.Database, "dbname=")+len("dbname="):]+"_clerk"
	quoted := pgx.Identifier{role}.Sanitize()
	run := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := conn.Exec(t.Context(), strings.ReplaceAll(statement, "NAME", quoted)); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(`CREATE USER NAME`)
	o.Database += " user=" + role
	refused := func(want string) {
		t.Helper()
		s, err := Open(t.Context(), o, storage.OpenOptions{})
		if err == nil {
			err = errors.Join(errors.New("it started"), s.Close())
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Open = %v, want an error that says %q", err, want)
		}
	}
	if err := At(o).Exists(t.Context()); err == nil || errors.Is(err, storage.ErrNoStore) || !strings.Contains(err.Error(), "may not use the schema") {
		t.Errorf("Exists without the schema = %v, want an error that says so", err)
	}
	run(`GRANT USAGE ON SCHEMA avatard TO NAME`, `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA avatard TO NAME`)
	refused("lacks USAGE on receipt_number;")
	run(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA avatard TO NAME`, `REVOKE DELETE ON work FROM NAME`)
	refused("lacks DELETE on work;")
	run(`GRANT DELETE ON work TO NAME`)
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	put(t, s, u)
	remove(t, s, u)
	if found, _ := checked(t, s, true); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}
