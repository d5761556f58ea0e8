package server

import "testing"

// What metrics and log count has a name of its own.
func TestReasonsToTurnAwayHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for why, name := range shedReasonNames {
		if name == "" || seen[name] {
			t.Errorf("reason %d has the name %q, want one of its own", why, name)
		}
		seen[name] = true
	}
}
