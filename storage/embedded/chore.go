package embedded

import "time"

const (
	// choreLate is how long a chore that is due waits for a moment at which nobody waits. Then a step of it is done between two group commits,
	// so that a server that is never idle does it too.
	choreLate = 10 * time.Second
	// choreCommits is how many group commits come to one such step.
	choreCommits = 64
)

// chore is something that the committer does between two group commits when nobody waits for it. A chore is short, since whoever
// comes meanwhile waits: one that has more to do is due again at once.
type chore struct {
	// due returns when the chore is to be done, the zero time for not at all. quiet is since when nobody has come.
	due func(quiet time.Time) time.Time
	// do does it, and by that moves the time when it is due.
	do func()
	// late does a step of it while changes wait; nil when it does not depend on such moments.
	late func()
}

// afterRound does what does not wait for a moment at which nobody waits, or no longer.
func (s *Store) afterRound() {
	s.groupCommits++
	s.checkpointBusy()
	s.spaceBusy()
	s.trimBusy()
	s.quiet = time.Now()
	s.tidying.changed(s.quiet)
	s.doLateChore()
}

// doChore does one of those that are due, and reports whether there was one.
func (s *Store) doChore() bool {
	do := s.dueChore(false)
	if do == nil {
		return false
	}
	do()
	return true
}

// doLateChore does a step, every so many group commits, of one that has found no moment at which nobody waits.
func (s *Store) doLateChore() {
	if s.groupCommits%choreCommits != 0 {
		return
	}
	if do := s.dueChore(true); do != nil {
		do()
	}
}

// dueChore returns what to do of a chore that is due, or late; nil when there is none. They take turns: one that always has more to do
// keeps no other one waiting.
func (s *Store) dueChore(late bool) func() {
	by := time.Now()
	if late {
		by = by.Add(-choreLate)
	}
	for range s.chores {
		c := s.chores[s.turn]
		s.turn = (s.turn + 1) % len(s.chores)
		do := c.do
		if late {
			do = c.late
		}
		if due := c.due(s.quiet); do != nil && !due.IsZero() && !due.After(by) {
			return do
		}
	}
	return nil
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
