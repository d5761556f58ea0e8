package cluster

import "testing"

// What is to be done is counted by an index: thousands of rows of what was done before cost it next to nothing, also before they are cleaned
// away.
func TestPendingIsCountedByAnIndex(t *testing.T) {
	o := options(t, false)
	s := openStore(t, o)
	s.sweeping() // it counts, too
	settle(t, o)
	crowd(t, s, 1000)
	leaveDead(t, o, 5000)
	pages := 0
	for range 3 { // the first time marks in the index what is done with
		pages = pagesOf(t, s, o, func() {
			if err := s.lookAtPending(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if pages > 20 {
		t.Errorf("counting what is to be done touches %d pages, want few", pages)
	}
}
