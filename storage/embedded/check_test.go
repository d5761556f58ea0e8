package embedded

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"example.org/avatard/storage"
)

// checkStore checks an open store and returns what was found.
func checkStore(t *testing.T, s *Store, repair bool) []storage.Finding {
	t.Helper()
	var all []storage.Finding
	sum, err := s.Check(t.Context(), storage.CheckOptions{Repair: repair, By: testBy}, func(f storage.Finding) error {
		all = append(all, f)
		return nil
	})
	if err != nil {
		t.Errorf("Check = %v", err)
	}
	if int(sum.Findings) != len(all) {
		t.Errorf("the summary counts %d findings, %d were reported", sum.Findings, len(all))
	}
	return all
}

func wantClean(t *testing.T, s *Store) {
	t.Helper()
	for _, f := range checkStore(t, s, false) {
		t.Errorf("found %+v", f)
	}
}

// A store that is used by many at once is never blamed for what is on its way.
func TestCheckBusyStore(t *testing.T) {
	const users, changes = 40, 60
	checks := 25
	if raceDetector() {
		checks = 3 // two hundred times slower, and it is the interleavings that it looks at
	}
	s := openTest(t, t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for n := 0; n < changes || ctx.Err() == nil; n++ {
				i := random.IntN(users)
				if random.IntN(3) == 0 {
					if _, err := s.Remove(t.Context(), removal(i)); err != nil && !errors.Is(err, storage.ErrUserNotFound) {
						t.Errorf("Remove = %v", err)
					}
				} else {
					mustPut(t, s, i, 1+random.IntN(20000))
				}
			}
		})
	}
	for range checks {
		wantClean(t, s)
	}
	stop()
	wg.Wait()
	wantClean(t, s)
}
