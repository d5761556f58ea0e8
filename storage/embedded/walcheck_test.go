package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
	"example.org/avatard/storage/embedded/internal/sqlitefs"
)

// logScenario is what the log of a killed process holds: users who upload one after the other, each acknowledged.
const logScenario = 8

// killedLog returns the directory of a process that was killed after the scenario, and where the last transaction in its log
// begins, as the number of a frame.
func killedLog(t *testing.T) (dir string, last int) {
	t.Helper()
	open := t.TempDir()
	s := openTest(t, open)
	for user := range logScenario {
		mustPut(t, s, user, 2000)
	}
	dir = copyDir(t, open)
	data, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	commits := []int{0}
	for number := 1; frameAt(number)+sqlitefs.FrameHeaderBytes+slab.PageBytes <= len(data); number++ {
		if binary.BigEndian.Uint32(data[frameAt(number)+4:]) != 0 {
			commits = append(commits, number)
		}
	}
	if len(commits) < logScenario {
		t.Fatalf("%d transactions in the log, want one or two for each upload", len(commits))
	}
	return dir, commits[len(commits)-2] + 1
}

func frameAt(number int) int {
	return sqlitefs.HeaderBytes + (number-1)*(sqlitefs.FrameHeaderBytes+slab.PageBytes)
}

// Damage anywhere in the log but in its last transaction is found, so that nothing acknowledged is dropped without a word.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	whole, last := killedLog(t)
	if err := sqlitefs.CheckLog(filepath.Join(whole, logName)); err != nil {
		t.Errorf("a whole log: %v", err)
	}
	change := func(title string, at int, change func(data []byte)) error {
		dir := copyDir(t, whole)
		changeFile(t, filepath.Join(dir, logName), func(data []byte) []byte { change(data[at:]); return data })
		s, err := Open(context.Background(), Config{Dir: dir})
		if err != nil && (!errors.Is(err, storage.ErrDamaged) || !strings.Contains(err.Error(), logName)) {
			t.Errorf("%s: Open = %v, want %v and the file's name", title, err, storage.ErrDamaged)
		}
		if err == nil {
			checkLogScenario(t, title, s)
		}
		return err
	}
	for field, at := range map[string]int{"magic": 0, "page size": 8, "salt": 16, "sum": 24} {
		if err := change("header: "+field, at, func(data []byte) { data[1] ^= 8 }); err == nil {
			t.Errorf("a header with a wrong %s is taken", field)
		}
	}
	for number := 1; number < last; number++ {
		fields := map[string]int{"page number": 0, "commit": 4, "salt": 8, "sum": 16, "page": sqlitefs.FrameHeaderBytes + 77*number%slab.PageBytes}
		field := []string{"page number", "commit", "salt", "sum", "page"}[number%5]
		title := fmt.Sprintf("frame %d of %d: %s", number, last-1, field)
		if err := change(title, frameAt(number)+fields[field], func(data []byte) { data[1] ^= 8 }); err == nil {
			t.Errorf("%s: it is taken", title)
		}
	}
	if err := change("all zeros from the middle on", frameAt(last/2), func(data []byte) { clear(data[:slab.PageBytes]) }); err == nil {
		t.Error("a log with a page of zeros is taken")
	}
}

// checkLogScenario demands that every user has the picture of the scenario or, where the log was cut, none yet.
func checkLogScenario(t *testing.T, title string, s *Store) (have int) {
	t.Helper()
	defer s.Close()
	for user := range logScenario {
		got, err := s.Get(context.Background(), testKey(user), testOrg)
		if err == nil && bytes.Equal(got.Data, upload(user, 2000).Picture.Data) {
			have++
		} else if !errors.Is(err, storage.ErrNoPicture) && !errors.Is(err, storage.ErrUserNotFound) {
			t.Errorf("%s: user %d: %d bytes, %v", title, user, len(got.Data), err)
		}
	}
	if err := s.Ready(context.Background()); err != nil {
		t.Errorf("%s: Ready = %v", title, err)
	}
	return have
}

// A torn last transaction after a loss of power is not damage: the log may end anywhere in it, or hold pieces of it.
func TestTornLog(t *testing.T) {
	t.Parallel()
	whole, last := killedLog(t)
	info, err := os.Stat(filepath.Join(whole, logName))
	if err != nil {
		t.Fatal(err)
	}
	frames := (int(info.Size()) - sqlitefs.HeaderBytes) / (sqlitefs.FrameHeaderBytes + slab.PageBytes)
	for number := last; number <= frames; number++ {
		for _, torn := range []struct {
			how    string
			change func(data []byte) []byte
		}{
			{"cut before", func(d []byte) []byte { return d[:frameAt(number)] }},
			{"cut within", func(d []byte) []byte { return d[:frameAt(number)+1000] }},
			{"not written", func(d []byte) []byte { clear(d[frameAt(number):frameAt(number+1)]); return d }},
			{"half written", func(d []byte) []byte { clear(d[frameAt(number)+512 : frameAt(number+1)]); return d }},
		} {
			dir := copyDir(t, whole)
			changeFile(t, filepath.Join(dir, logName), torn.change)
			title := fmt.Sprintf("frame %d of %d to %d: %s", number, last, frames, torn.how)
			s, err := Open(context.Background(), Config{Dir: dir})
			if err != nil {
				t.Errorf("%s: Open = %v", title, err)
			} else if have := checkLogScenario(t, title, s); have < logScenario-1 {
				t.Errorf("%s: %d of %d pictures", title, have, logScenario)
			}
		}
	}
}

// What SQLite itself leaves behind in a log is no damage: frames of before it began anew, and of transactions whose sync
// failed.
func TestLogLeavings(t *testing.T) {
	ctx := context.Background()
	f := &faults{}
	dir := t.TempDir()
	s, err := Open(ctx, Config{Dir: dir, WrapFile: f.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check := func(title string, frames int) {
		t.Helper()
		copied := copyDir(t, dir)
		info, err := os.Stat(filepath.Join(copied, logName))
		if err != nil || info.Size() < int64(frameAt(frames)) {
			t.Fatalf("%s: a log of %d bytes, %v, want at least %d frames", title, info.Size(), err, frames)
		}
		if err := sqlitefs.CheckLog(filepath.Join(copied, logName)); err != nil {
			t.Errorf("%s: %v", title, err)
		}
	}
	each(1, 12, func(i int) { mustPut(t, s, i, 500) })
	s.db.mu.Lock()
	if err := s.db.conn.Exec("PRAGMA wal_checkpoint"); err != nil {
		t.Error(err)
	}
	s.db.mu.Unlock()
	mustRemove(t, s, 0)
	check("begun anew", 20)
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, logName))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	each(1, 12, func(i int) { mustPut(t, s, 20+i, 500) })
	before := size()
	f.set(func(_ int, name, op string) bool { return name == logName && op == "sync" })
	for _, id := range []string{strings.Repeat("𝄞", 200), "short", "shorter"} { // the first takes more frames than the others
		if _, err := s.AddOrganization(ctx, id, testBy); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("AddOrganization = %v, want %v", err, storage.ErrUnavailable)
		}
	}
	if size() == before {
		t.Fatal("failed transactions have left nothing")
	}
	check("syncs that failed", 20)
	f.set(nil)
	mustRemove(t, s, 1)
	check("one that went well after them", 20)
}
