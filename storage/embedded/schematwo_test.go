package embedded

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"
)

// rowsOf returns the rows of a query as text.
func rowsOf(t *testing.T, conn *sqlite3.Conn, sql string) (rows []string) {
	t.Helper()
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for stmt.Step() {
		row := ""
		for i := range stmt.ColumnCount() {
			row += fmt.Sprintf("%q ", stmt.ColumnText(i))
		}
		rows = append(rows, row[:max(0, len(row)-1)])
	}
	if err := stmt.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// Version 2 puts refusals into a table of their own and leaves everything else as it was.
func TestSchemaVersionTwo(t *testing.T) {
	dir := oldData(t)
	editData(t, dir, `
		INSERT INTO store (one, id) VALUES (1, randomblob(16)); INSERT INTO issuer VALUES (1, 'https://i');
		INSERT INTO user VALUES (1, 1, 'u', 'acme', 5, 5, 1, NULL);
		INSERT INTO generation VALUES (1, x'000102030405060708090a0b0c0d0e0f', 1, 1, 100, 1, NULL);
		INSERT INTO receipt VALUES (1, 1, x'000102030405060708090a0b0c0d0e0f', 7, 1, NULL, 0);
		UPDATE generation SET state = 3, receipt = 1; UPDATE user SET receipt = 1;
		INSERT INTO audit VALUES (1, 1, 'register', 'done', 'c', 'o', 'acme', 'u', 'r1', 0), (2, 2, 'DELETE', 'not_found AUTHZ-cdgFk', 'c', '', 'acme', '', 'r2', 3),
			(3, 3, 'upload', 'done', '', '', 'acme', 'u', '', 0), (7, 4, 'GET', 'permission_denied AUTH-5mWD2', 'c', '', CAST(x'ff' AS TEXT), '', 'r4', -1)`)
	if _, err := Migrate(t.Context(), Config{Dir: dir}, nil); err != nil {
		t.Fatal(err)
	}
	conn, err := sqlite3.Open(filepath.Join(dir, databaseName))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for sql, want := range map[string][]string{
		`SELECT seq, result FROM audit ORDER BY seq`: {`"1" "done"`, `"3" "done"`},
		`SELECT seq, time, action, reason, caller, request, dropped FROM refusal ORDER BY seq`: {
			`"2" "2" "DELETE" "not_found AUTHZ-cdgFk" "c" "r2" "3"`, `"7" "4" "GET" "permission_denied AUTH-5mWD2" "c" "r4" "-1"`},
		`SELECT pruned, horizon FROM store`: {`"0" "0"`},
		`SELECT "table" FROM pragma_foreign_key_list('generation') UNION ALL SELECT "table" FROM pragma_foreign_key_list('user') ORDER BY 1`: {
			`"issuer"`, `"organization"`, `"user"`},
		`PRAGMA integrity_check`:   {`"ok"`},
		`PRAGMA foreign_key_check`: nil,
	} {
		if diff := cmp.Diff(want, rowsOf(t, conn, sql)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sql, diff)
		}
	}
	// One made anew is the same.
	dump := `SELECT type, name, sql FROM sqlite_schema ORDER BY type, name`
	fresh := openTest(t, t.TempDir())
	fresh.db.mu.Lock()
	defer fresh.db.mu.Unlock()
	if diff := cmp.Diff(rowsOf(t, fresh.db.conn, dump), rowsOf(t, conn, dump)); diff != "" {
		t.Errorf("a new database has another schema than one brought forward:\n%s", diff)
	}
}
