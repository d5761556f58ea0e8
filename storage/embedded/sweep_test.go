package embedded

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// An idle store tries failed erasures again, until they are done, less and less often.
func TestSweepWithoutCallers(t *testing.T) {
	for _, failures := range []int{1, 2, 3, 20} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			f := &faults{}
			s, err := Open(context.Background(), Config{Dir: dir, WrapFile: f.wrap})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			mustPut(t, s, 1, 5000)
			left, failed := failures, []time.Time{}
			f.set(func(_ int, name, op string) bool {
				if name != slabName || op != "sync" {
					return false
				}
				if n := len(failed); n > 0 && failed[n-1].Equal(time.Now()) {
					return true // of the look whether the slab takes anything at all
				}
				if left == 0 {
					return false
				}
				left--
				failed = append(failed, time.Now())
				return true
			})
			if _, err := s.Remove(context.Background(), removal(1)); err == nil {
				t.Fatal("Remove succeeded on a failing slab")
			}
			if got := s.Stats(); got.Stuck != 1 || got.Retried != 0 {
				t.Errorf("%d stuck after %d retries, want 1 after none", got.Stuck, got.Retried)
			}
			time.Sleep(time.Hour) // of the test's own clock
			if err := s.Ready(context.Background()); err != nil {
				t.Errorf("Ready = %v an hour after %d failures", err, failures)
			}
			want := sweepDelayMin // twice as long each time
			for i := 1; i < len(failed); i++ {
				if gap := failed[i].Sub(failed[i-1]); gap != want {
					t.Errorf("try %d came %v after the one before, want %v", i, gap, want)
				}
				want = min(2*want, sweepDelayMax)
			}
			if got := s.Stats(); got.Retried != uint64(failures) || got.Stuck != 0 || got.Erased != 1 {
				t.Errorf("%d retries, %d stuck, %d erased; want %d, 0, 1", got.Retried, got.Stuck, got.Erased, failures)
			}
		})
	}
}
