package embedded

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"avatard/storage/embedded/internal/slab"
)

// between makes something happen right before the slab is read.
type between struct {
	File
	before func(off int64, n int)
}

func (b *between) ReadAt(p []byte, off int64) (int, error) {
	b.before(off, len(p))
	return b.File.ReadAt(p, off)
}

// Whatever becomes of a slot between the look at its row and the look at its bytes, nobody is blamed for it. Here each
// slot that is looked at changes in just that moment: a picture is removed or replaced, a free slot is filled.
func TestCheckWhileEachSlotChanges(t *testing.T) {
	const users = 12
	var s *Store
	var checking atomic.Bool
	changes, changed := 0, [3]int{}
	wrap := func(name string, f File) File {
		if name != slabName {
			return f
		}
		return &between{File: f, before: func(off int64, n int) {
			// Only what the check reads, and not while this makes a change.
			if off < slab.PageBytes || !checking.CompareAndSwap(true, false) {
				return
			}
			defer checking.Store(true)
			owner, state, slot := 0, int64(0), int64(0)
			s.db.mu.Lock()
			err := s.db.once(`SELECT substr(u.id, 6), g.state, g.slot FROM generation g JOIN user u ON u.uid = g.uid
				WHERE g.slot >= ?1 AND g.slot < ?2 ORDER BY (g.slot + ?3) % 7 LIMIT 1`, func(row *sqlite3.Stmt) bool {
				owner, state, slot = row.ColumnInt(0), row.ColumnInt64(1), row.ColumnInt64(2)
				return false
			}, off/slab.PageBytes, (off+int64(n))/slab.PageBytes, int64(changes))
			s.db.mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			changes++
			switch {
			case state == stateActive && changes%2 == 0:
				mustRemove(t, s, owner)
				changed[0]++
			case state == stateActive:
				mustPut(t, s, owner, 100+changes)
				changed[1]++
			default: // its turn comes when those below it are taken
				for try := range users {
					mustPut(t, s, (changes+try)%users, 100+changes)
					if active(t, s, slot) {
						changed[2]++
						break
					}
				}
			}
		}}
	}
	s, err := Open(context.Background(), Config{Dir: t.TempDir(), WrapFile: wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range users {
		mustPut(t, s, i, 100)
	}
	for range 10 {
		checking.Store(true)
		wantClean(t, s)
		for _, f := range checkStore(t, s, true) {
			t.Errorf("a repair found %+v", f)
		}
		checking.Store(false)
	}
	t.Logf("%d pictures removed, %d replaced, %d put", changed[0], changed[1], changed[2])
	if min(changed[0], changed[1], changed[2]) == 0 {
		t.Errorf("changes %v: some kind did not happen", changed)
	}
	wantClean(t, s)
}

// active reports whether a slot holds somebody's picture.
func active(t *testing.T, s *Store, slot int64) (found bool) {
	t.Helper()
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if err := s.db.once(`SELECT 1 FROM generation WHERE slot = ?1 AND state = 2`, func(*sqlite3.Stmt) bool {
		found = true
		return false
	}, slot); err != nil {
		t.Error(err)
	}
	return found
}
