package embedded

import "time"

// chore is something that the committer does between two rounds when nobody waits for it. A chore is short, since whoever
// comes meanwhile waits: one that has more to do is due again at once.
type chore struct {
	// due returns when the chore is to be done, the zero time for not at all. quiet is since when nobody has come.
	due func(quiet time.Time) time.Time
	// do does it, and by that moves the time when it is due.
	do func()
}

// doChore does one of those that are due, and reports whether there was one.
func (s *Store) doChore() bool {
	now := time.Now()
	for _, c := range s.chores {
		if due := c.due(s.quiet); !due.IsZero() && !due.After(now) {
			c.do()
			return true
		}
	}
	return false
}

// nextChore returns a channel that receives when a chore is due, nil when none is going to be.
func (s *Store) nextChore() <-chan time.Time {
	var next time.Time
	for _, c := range s.chores {
		if due := c.due(s.quiet); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	if next.IsZero() {
		return nil
	}
	s.choreTimer.Reset(time.Until(next))
	return s.choreTimer.C
}
