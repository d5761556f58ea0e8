package server

import (
	"strings"
	"sync"
	"testing"
)

// Ids of requests are 26 letters and digits, and no two are the same, also where several are made at once.
func TestMadeRequestIDs(t *testing.T) {
	const each, callers = 1000, 4
	var s requestIDs
	made := make([][]string, callers)
	var running sync.WaitGroup
	for i := range made {
		running.Go(func() {
			for range each {
				made[i] = append(made[i], s.next())
			}
		})
	}
	running.Wait()
	seen, letters := map[string]bool{}, map[rune]bool{}
	for _, ids := range made {
		for _, id := range ids {
			if len(id) != 26 || seen[id] || strings.Trim(id, requestIDLetters) != "" {
				t.Fatalf("id %q, seen before: %v", id, seen[id])
			}
			seen[id] = true
			for _, r := range id {
				letters[r] = true
			}
		}
	}
	if len(letters) != 32 {
		t.Errorf("%d characters occur, want 32", len(letters))
	}
}
