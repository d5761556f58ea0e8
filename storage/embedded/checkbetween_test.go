package embedded

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/storage/embedded/internal/slab"
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

const slotChangeUsers = 12

// slotChanges changes slots of a store and counts how.
type slotChanges struct {
	t                               *testing.T
	s                               *Store
	changes, removed, replaced, put int
}

// change changes one of the slots between two pages: a picture is removed or replaced, a free slot is filled.
func (c *slotChanges) change(first, end int64) {
	owner, state, slot := 0, int64(0), int64(0)
	c.s.db.mu.Lock()
	err := c.s.db.once(`SELECT substr(u.id, 6), g.state, g.slot FROM generation g JOIN user u ON u.uid = g.uid
		WHERE g.slot >= ?1 AND g.slot < ?2 ORDER BY (g.slot + ?3) % 7 LIMIT 1`, func(row *sqlite3.Stmt) bool {
		owner, state, slot = row.ColumnInt(0), row.ColumnInt64(1), row.ColumnInt64(2)
		return false
	}, first, end, int64(c.changes))
	c.s.db.mu.Unlock()
	if err != nil {
		c.t.Error(err)
	}
	c.changes++
	switch {
	case state == stateActive && c.changes%2 == 0:
		mustRemove(c.t, c.s, owner)
		c.removed++
	case state == stateActive:
		mustPut(c.t, c.s, owner, 100+c.changes)
		c.replaced++
	default: // its turn comes when those below it are taken
		for try := range slotChangeUsers {
			mustPut(c.t, c.s, (c.changes+try)%slotChangeUsers, 100+c.changes)
			if active(c.t, c.s, slot) {
				c.put++
				break
			}
		}
	}
}

// A change of a slot between reading its row and reading its bytes is never a finding. Here each slot that is checked changes in just that
// moment: a picture is removed or replaced, a free slot is filled.
func TestCheckWhileEachSlotChanges(t *testing.T) {
	var checking atomic.Bool
	c := &slotChanges{t: t}
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
			c.change(off/slab.PageBytes, (off+int64(n))/slab.PageBytes)
		}}
	}
	s, err := Open(context.Background(), Config{Dir: t.TempDir(), WrapFile: wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.s = s
	for i := range slotChangeUsers {
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
	t.Logf("%d pictures removed, %d replaced, %d put", c.removed, c.replaced, c.put)
	if min(c.removed, c.replaced, c.put) == 0 {
		t.Error("some kind of change did not happen")
	}
	wantClean(t, s)
}

// active reports whether a slot holds a user's picture.
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
