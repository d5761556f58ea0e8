package embedded

import (
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
)

// A refusal is on record a second after it was noted, whatever wakes the committer meanwhile.
func TestRefusalsDue(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, dir)
		for range 2 { // the second one's second is its own
			s.RecordRefusal(storage.Refusal{By: testBy, Organization: testOrg, Action: "remove", Reason: "permission_denied"})
			noted := time.Now()
			for time.Since(noted) < refusalDelay {
				if !s.refusals.waiting() {
					t.Errorf("on record after %v", time.Since(noted))
				}
				time.Sleep(refusalDelay / 4)
				s.queue.signal()
				synctest.Wait()
			}
			if s.refusals.waiting() {
				t.Errorf("not on record after %v", time.Since(noted))
			}
			time.Sleep(refusalDelay / 2)
		}
	})
}
