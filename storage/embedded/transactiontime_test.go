package embedded

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// A transaction's time is one at which it has the database: an export notes its end while it has that, and whatever is erased afterwards
// is later.
func TestTimeIsTakenWithTheDatabase(t *testing.T) {
	var ticks atomic.Int64
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Now: func() time.Time { return time.UnixMicro(1e15 + ticks.Add(1)) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 1, 300)
	s.db.lock()
	done := make(chan storage.Result, 1)
	go func() {
		res, err := s.Remove(t.Context(), removal(1))
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	for !s.db.isWanted() {
		runtime.Gosched()
	}
	looked := s.now()
	s.db.mu.Unlock()
	if res := <-done; res.Details.ChangeDate.Before(looked) {
		t.Errorf("the removal is of %v, and began to have the database after %v", res.Details.ChangeDate, looked)
	}
}
