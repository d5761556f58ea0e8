package embedded

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
)

// tables returns the names of all tables.
func (d *damaged) tables() (names []string) {
	d.t.Helper()
	db := &database{conn: d.conn}
	err := db.once(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`, func(row *sqlite3.Stmt) bool {
		names = append(names, row.ColumnText(0))
		return true
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return names
}

// A database that lacks a table or a column is a finding, which says what is missing and what to do, and what can be compared still is.
// A repair cannot open the store, and says the same.
func TestCheckDirLackingSchema(t *testing.T) {
	type lack struct{ sql, text string }
	lacks := []lack{{`ALTER TABLE receipt RENAME COLUMN done TO gone`, "no such column: r.done"}}
	for _, table := range newDamaged(t).tables() {
		lacks = append(lacks, lack{"DROP TABLE " + table, "no such table: " + table})
	}
	if len(lacks) < 10 {
		t.Fatalf("only %v", lacks)
	}
	for _, tt := range lacks {
		t.Run(tt.sql, func(t *testing.T) {
			d := newDamaged(t)
			d.write(d.slot(1)*4096+100, []byte("spoilt"))
			d.sql("%s", tt.sql)
			if err := d.conn.Close(); err != nil {
				t.Fatal(err)
			}
			before := d.files()
			wantLacking(t, tt.text, d.checkDir(false))
			if !cmp.Equal(before, d.files()) {
				t.Error("looking has changed something")
			}
			_, err := CheckDir(t.Context(), Config{Dir: d.dir}, storage.CheckOptions{Repair: true}, func(storage.Finding) error { return nil })
			if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.HasSuffix(err.Error(), "; restore the directory from a backup") ||
				!strings.Contains(err.Error(), databaseName+" lacks parts of its schema: ") {
				t.Errorf("repair = %v, want what is missing and what to do", err)
			}
		})
	}
}

// wantLacking demands one finding about the schema, and that the spoilt picture is found where its table is there.
func wantLacking(t *testing.T, lacking string, found []storage.Finding) {
	t.Helper()
	of := func(kind storage.FindingKind, text string) (n int) {
		for _, f := range found {
			if f.Kind == kind && strings.Contains(f.Detail, text) {
				n++
			}
		}
		return n
	}
	const end = "; what depends on them was not compared; restore the directory from a backup"
	if of(storage.DatabaseDamaged, databaseName+" lacks parts of its schema: ") != 1 || of(storage.DatabaseDamaged, lacking) != 1 || of(storage.DatabaseDamaged, end) != 1 {
		t.Errorf("found %+v, want one %v with %q", found, storage.DatabaseDamaged, lacking)
	}
	compared := slices.Contains([]string{"audit", "issuer_move", "organization", "refusal"}, strings.TrimPrefix(lacking, "no such table: "))
	if compared && of(storage.PictureMissing, "") != 1 {
		t.Errorf("found %+v, want %v, too", found, storage.PictureMissing)
	}
}
