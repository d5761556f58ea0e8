package server

import "testing"

// Every reason for shedding has a name for metrics and log.
func TestReasonsToTurnAwayHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for why, name := range shedReasonNames {
		if name == "" || seen[name] {
			t.Errorf("reason %d has the name %q, want one of its own", why, name)
		}
		seen[name] = true
	}
}
