package embedded

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/embedded/internal/datadir"
)

// A version of the schema that was released never changes: directories that have it would not be what this program takes them for.
func TestSchemaTextStays(t *testing.T) {
	sums := map[int]string{
		1: "e92735675fe49711d7bac2d027e05f6b03cbc311e2abaa0ac661a2e3b6ba0b25",
		2: "41017cfe5af5f1fe5513289383cd5364b6be150eea82b92f610dd7e6595e3c8b",
		3: "75f601b5d07b1d311bbde273d571e50a88c5b29768726e52dce97d0d77350d4c",
		4: "eae36d5f1c8ec6b00311c8ad598bc6a9ae404c962a222f10af62a22e59e46695",
	}
	if len(sums) != len(migrations) {
		t.Errorf("%d sums for %d versions", len(sums), len(migrations))
	}
	for version, want := range sums {
		db, err := connect(datadir.At(t.TempDir()), databaseName)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.migrate(context.Background(), migrations[:version], nil); err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		err = db.once(`SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid`, func(row *sqlite3.Stmt) bool {
			fmt.Fprintf(sum, "%s %s %s\n%s\n", row.ColumnText(0), row.ColumnText(1), row.ColumnText(2), row.ColumnText(3))
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sum.Sum(nil)); got != want {
			t.Errorf("version %d: the schema's text has the sum %s, want %s", version, got, want)
		}
		if err := db.close(); err != nil {
			t.Error(err)
		}
	}
}
