package embedded

import (
	"testing"
)

// Tidying an idle store keeps the log short meanwhile, and leaves none behind: its blocks are given back, too.
func TestTidyLeavesNoLog(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	trimAll(s)
	const users = 1200
	each(16, users, func(i int) { mustPut(t, s, i, 3000) })
	each(16, users, func(i int) { mustRemove(t, s, i) })
	mustTidy(t, s)
	if pending, size := s.db.log.State(); pending != 0 || size > logIdle {
		t.Errorf("the log has %d bytes, %d of them not moved, want none", size, pending)
	}
}
