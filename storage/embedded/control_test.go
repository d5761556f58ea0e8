package embedded_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/storagetest"
)

// TestControlSQLiteKeepsPieces is why pictures do not lie in SQLite, and shows that the churn test could fail: the same
// search, on an ordinary table with secure_delete, finds pieces of deleted pictures. Balancing a B-tree leaves copies
// of moved cells in the free space of a page, which the later delete does not clear.
//
// When this fails, SQLite has changed: think again about where the bytes live, and find another control.
func TestControlSQLiteKeepsPieces(t *testing.T) {
	const (
		users   = 300
		deletes = 5000
		every   = 100
	)
	dir := t.TempDir()
	s := openTable(t, filepath.Join(dir, "pictures.db"))
	pattern := storagetest.NewPattern(churnSeed)
	random := rand.New(rand.NewPCG(churnSeed, 1))
	has := map[int64]uint32{} // user → number of the picture
	looks, dirty, longest := 0, 0, 0
	number, deleted := uint32(0), 0
	for deleted < deletes {
		user := random.Int64N(users)
		if _, ok := has[user]; !ok || random.Float64() < 0.3 {
			number++
			s.put(user, pattern.Picture(number, int(200*math.Pow(25, random.Float64()))))
			has[user] = number
			continue
		}
		s.remove(user)
		delete(has, user)
		if deleted++; deleted%every != 0 {
			continue
		}
		s.checkpoint()
		pieces, err := pattern.Search(dir)
		if err != nil {
			t.Fatal(err)
		}
		lives := map[uint32]bool{}
		for _, n := range has {
			lives[n] = true
		}
		looks++
		before := longest
		seen, left := map[uint32]bool{}, false
		for _, p := range pieces {
			if seen[p.Number] = true; !lives[p.Number] {
				left, longest = true, max(longest, p.Length)
			}
		}
		if left {
			dirty++
		}
		if longest > before {
			t.Logf("after %d deletes: %d bytes unbroken of a deleted picture", deleted, longest)
		}
		for n := range lives {
			if !seen[n] {
				t.Errorf("after %d deletes: the search found nothing of picture %d, which lives", deleted, n)
			}
		}
	}
	t.Logf("%d of %d looks found pieces of deleted pictures", dirty, looks)
	if dirty == 0 {
		t.Errorf("%d looks at an ordinary SQLite table found no piece of a deleted picture: this control must find some", looks)
	}
}

// table is a throw-away store of pictures as rows.
type table struct {
	t    *testing.T
	conn *sqlite3.Conn
}

func openTable(t *testing.T, path string) *table {
	conn, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &table{t, conn}
	// What is looked at is the files as the system shows them, so nothing needs to be synced.
	s.exec(`PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;
		PRAGMA temp_store = MEMORY; CREATE TABLE pictures (user INTEGER PRIMARY KEY, data BLOB NOT NULL)`)
	for pragma, want := range map[string]string{"page_size": "4096", "journal_mode": "wal", "secure_delete": "1"} {
		s.wantRow("PRAGMA "+pragma, want)
	}
	return s
}

func (s *table) exec(sql string) {
	s.t.Helper()
	if err := s.conn.Exec(sql); err != nil {
		s.t.Fatal(err)
	}
}

// wantRow demands the first column of a statement's one row.
func (s *table) wantRow(sql, want string) {
	s.t.Helper()
	stmt, _, err := s.conn.Prepare(sql)
	if err != nil {
		s.t.Fatal(err)
	}
	defer stmt.Close()
	if !stmt.Step() || stmt.ColumnText(0) != want {
		s.t.Fatalf("%s = %q, %v, want %q", sql, stmt.ColumnText(0), stmt.Err(), want)
	}
}

func (s *table) put(user int64, data []byte) {
	s.t.Helper()
	stmt, _, err := s.conn.Prepare(`INSERT INTO pictures VALUES (?, ?) ON CONFLICT DO UPDATE SET data = excluded.data`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer stmt.Close()
	if err := stmt.BindInt64(1, user); err != nil {
		s.t.Fatal(err)
	}
	if err := stmt.BindBlob(2, data); err != nil {
		s.t.Fatal(err)
	}
	if err := stmt.Exec(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *table) remove(user int64) {
	s.t.Helper()
	s.exec(fmt.Sprintf(`DELETE FROM pictures WHERE user = %d`, user))
}

// checkpoint empties the log; "0" is SQLite's way to say that nothing kept it from doing so.
func (s *table) checkpoint() {
	s.t.Helper()
	s.wantRow("PRAGMA wal_checkpoint(TRUNCATE)", "0")
}
