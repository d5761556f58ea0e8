package embedded

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A store that nobody calls tries again what failed, until it is done, less and less often.
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
				if name != slabName || op != "sync" || left == 0 {
					return false
				}
				left--
				failed = append(failed, time.Now())
				return true
			})
			if _, err := s.Remove(context.Background(), removal(1)); err == nil {
				t.Fatal("Remove succeeded on a failing slab")
			}
			time.Sleep(time.Hour) // of the test's own clock
			if err := s.Ready(context.Background()); err != nil {
				t.Errorf("Ready = %v an hour after %d failures", err, failures)
			}
			for i := 2; i < len(failed); i++ {
				if gap := failed[i].Sub(failed[i-1]); gap < time.Second || gap > sweepDelayMax {
					t.Errorf("try %d came %v after the one before, want 1 s to %v", i, gap, sweepDelayMax)
				}
			}
		})
	}
}
