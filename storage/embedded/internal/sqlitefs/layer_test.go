package sqlitefs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/datadir"
)

const testDatabase = "test.db"

// openPair opens a database through the layer, with a second connection that sees what is durable.
func openPair(t *testing.T, dir datadir.Dir) (writer, reader *sqlite3.Conn, pages *Pages, log *LogGauge) {
	t.Helper()
	pages, log = &Pages{}, &LogGauge{}
	name, unregister, err := Register(dir, log, pages)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unregister)
	open := func(uri string) *sqlite3.Conn {
		conn, err := sqlite3.Open(uri)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
		return conn
	}
	writer = open("file:" + dir.File(testDatabase) + "?vfs=" + name)
	for _, sql := range []string{`PRAGMA locking_mode = EXCLUSIVE`, `CREATE TABLE t (n INTEGER PRIMARY KEY)`} {
		if _, err := writer.FileControl("main", sqlite3.FCNTL_RESERVE_BYTES, ChecksumBytes); err != nil {
			t.Fatal(err)
		}
		mustExec(t, writer, sql)
	}
	mustExec(t, writer, `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0`)
	pages.Started(number(t, writer, `PRAGMA page_count`) * PageBytes)
	name, unregisterReader := RegisterReader(pages)
	t.Cleanup(unregisterReader)
	reader = open("file:/" + testDatabase + "?mode=ro&vfs=" + name)
	return writer, reader, pages, log
}

func mustExec(t *testing.T, conn *sqlite3.Conn, sql string) {
	t.Helper()
	if err := conn.Exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func number(t *testing.T, conn *sqlite3.Conn, sql string) int64 {
	t.Helper()
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer stmt.Close()
	stmt.Step()
	if err := stmt.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return stmt.ColumnInt64(0)
}

// A second connection sees each commit once it is durable, none before, and the same when a checkpoint has moved it.
func TestReaderSeesCommits(t *testing.T) {
	writer, reader, pages, log := openPair(t, datadir.At(t.TempDir()))
	sees := func(when string, want int64) {
		t.Helper()
		pages.RLock()
		defer pages.RUnlock()
		if got := number(t, reader, `SELECT count(*) FROM t`); got != want {
			t.Errorf("%s: the reader sees %d rows, want %d", when, got, want)
		}
	}
	sees("at first", 0)
	for i := int64(1); i <= 500; i++ {
		mustExec(t, writer, fmt.Sprint(`BEGIN; INSERT INTO t VALUES (`, i*1000, `)`))
		sees("in a transaction", i-1)
		mustExec(t, writer, `COMMIT`)
		sees("after its commit", i)
	}
	mustExec(t, writer, `BEGIN; DELETE FROM t; ROLLBACK`)
	sees("after a rollback", 500)
	pending, size := log.State()
	if pending == 0 || size < pending {
		t.Errorf("the log holds %d of %d bytes, want some", pending, size)
	}
	frames, moved, err := writer.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if err != nil {
		t.Fatal(err)
	}
	log.MovedTo(int64(moved), moved == frames)
	if pending, _ := log.State(); pending != 0 {
		t.Errorf("%d bytes are pending after a checkpoint", pending)
	}
	sees("after a checkpoint", 500)
	mustExec(t, writer, `DELETE FROM t WHERE n > 100000`)
	sees("in a log that began anew", 100)
}

// lyingDisk fails what it is told to, in the file of one name.
type lyingDisk struct {
	datadir.File
	fail *error
}

func (d lyingDisk) Sync() error {
	if *d.fail != nil {
		return *d.fail
	}
	return d.File.Sync()
}

// A commit whose sync fails never counts, for the second connection neither.
func TestReaderSeesNoFailedCommit(t *testing.T) {
	var fail error
	dir := datadir.Dir{Path: t.TempDir(), Wrap: func(name string, f datadir.File) datadir.File {
		if strings.HasSuffix(name, "-wal") {
			return lyingDisk{f, &fail}
		}
		return f
	}}
	writer, reader, pages, _ := openPair(t, dir)
	mustExec(t, writer, `INSERT INTO t VALUES (1)`)
	fail = errors.New("no sync")
	if err := writer.Exec(`INSERT INTO t VALUES (2)`); err == nil {
		t.Error("a commit succeeds whose sync fails")
	}
	fail = nil
	for want := int64(1); want <= 2; want++ {
		pages.RLock()
		if got := number(t, reader, `SELECT count(*) FROM t`); got != want {
			t.Errorf("the reader sees %d rows, want %d", got, want)
		}
		pages.RUnlock()
		if want == 1 {
			mustExec(t, writer, `INSERT INTO t VALUES (3)`)
		}
	}
}

// A log that a killed process left is sound up to any torn end, and damage before its last transaction is found.
func TestCheckLog(t *testing.T) {
	dir := datadir.At(t.TempDir())
	writer, _, _, _ := openPair(t, dir)
	for i := range 5 {
		mustExec(t, writer, fmt.Sprint(`INSERT INTO t VALUES (`, i, `)`))
	}
	whole, err := os.ReadFile(dir.File(testDatabase + "-wal"))
	if err != nil {
		t.Fatal(err)
	}
	copied := datadir.At(t.TempDir()).File("log")
	check := func(data []byte) error {
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return CheckLog(copied)
	}
	for n := 0; n <= len(whole); n += 1000 {
		if err := check(whole[:n]); err != nil {
			t.Errorf("torn after %d bytes: %v", n, err)
		}
	}
	var commits []int
	for at := HeaderBytes; at < len(whole); at += FrameBytes {
		if binary.BigEndian.Uint32(whole[at+4:]) != 0 {
			commits = append(commits, at)
		}
	}
	if len(commits) < 5 {
		t.Fatalf("%d commits in the log, want 5", len(commits))
	}
	for at := 0; at < commits[len(commits)-2]+FrameBytes; at += 97 {
		data := slices.Clone(whole)
		data[at] ^= 8
		if err := check(data); at >= 32 && !errors.Is(err, storage.ErrDamaged) {
			t.Errorf("a wrong byte at %d: %v, want %v", at, err, storage.ErrDamaged)
		}
	}
	if err := CheckLog(datadir.At(t.TempDir()).File("none")); err != nil {
		t.Errorf("no log: %v", err)
	}
}
