package embedded

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// BenchmarkWhereBytesLive compares what it costs to make a picture of 4 KB disappear before the answer, for sixteen
// callers who share the work: overwriting a slot of the slab, and deleting a row that holds the bytes. For the row
// to be gone its log has to be emptied too. The zeros before the bytes push all of them into pages of their own, which
// secure_delete does clear; without them pieces stay (TestControlSQLiteKeepsPieces).
func BenchmarkWhereBytesLive(b *testing.B) {
	const batch, size = 16, 4000
	b.Run("slab", func(b *testing.B) {
		s := openTest(b, b.TempDir())
		b.ResetTimer()
		for i := 0; i < b.N; i += batch {
			b.StopTimer()
			each(batch, batch, func(j int) { mustPut(b, s, i+j, size) })
			b.StartTimer()
			each(batch, batch, func(j int) { mustRemove(b, s, i+j) })
		}
	})
	b.Run("rows of SQLite", func(b *testing.B) {
		conn, err := sqlite3.Open(filepath.Join(b.TempDir(), "rows.db"))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		must := func(sql string) {
			if err := conn.Exec(sql); err != nil {
				b.Fatal(err)
			}
		}
		must(pragmas + "CREATE TABLE picture (id INTEGER PRIMARY KEY, zeros BLOB, data BLOB)")
		b.ResetTimer()
		for i := 0; i < b.N; i += batch {
			b.StopTimer()
			must("BEGIN")
			for j := range batch {
				must(fmt.Sprintf("INSERT INTO picture VALUES (%d, zeroblob(4061), randomblob(%d))", i+j, size))
			}
			must("COMMIT")
			b.StartTimer()
			must("BEGIN")
			for j := range batch {
				must(fmt.Sprintf("DELETE FROM picture WHERE id = %d", i+j))
			}
			must("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
		}
	})
}
