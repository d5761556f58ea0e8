package embedded

import "time"

const (
	// choreLate is how long a chore that is due waits for a moment when the queue is empty. After that a step of it is done between two
	// group commits, so that a server that is never idle does its chores too.
	choreLate = 10 * time.Second
	// choreCommits is the number of group commits between two such steps.
	choreCommits = 64
)

// chore is work that the committer does between two group commits while the queue is empty. A chore is short, because changes that
// arrive meanwhile wait for it: a chore with more to do is due again at once.
type chore struct {
	// due returns when the chore is to be done, the zero time for never. quiet is when the last group commit ended.
	due func(quiet time.Time) time.Time
	// do does the chore, which changes what due returns.
	do func()
	// late does a step of it while changes wait; nil for a chore that is done in another way then.
	late func()
}

// afterGroupCommit does the work that does not wait for an empty queue, or has waited for it too long.
func (s *Store) afterGroupCommit() {
	s.groupCommits++
	s.checkpointBusy()
	s.spaceBusy()
	s.trimBusy()
	s.quiet = time.Now()
	s.tidying.changed(s.quiet)
	s.doLateChore()
}

// doChore does one of the chores that are due, and reports whether there was one.
func (s *Store) doChore() bool {
	do := s.dueChore(false)
	if do == nil {
		return false
	}
	do()
	return true
}

// doLateChore does a step of a chore that has waited for choreLate, every choreCommits group commits.
func (s *Store) doLateChore() {
	if s.groupCommits%choreCommits != 0 {
		return
	}
	if do := s.dueChore(true); do != nil {
		do()
	}
}

// dueChore returns the function of a chore that is due, or late; nil when there is none. Chores take turns: one that always has more to
// do does not keep the others waiting.
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

// nextChore returns a channel that receives when a chore is due, nil when none will be.
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
