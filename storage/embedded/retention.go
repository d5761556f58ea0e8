package embedded

import (
	"time"

	"avatard/storage"
)

// How retention is kept.
const (
	// pruneRows bounds the rows that one transaction looks at, or takes away.
	pruneRows = 2000
	// Whether there is something to do is looked up a tenth of the shortest age apart, within these.
	pruneEveryMin = 100 * time.Millisecond
	pruneEveryMax = 10 * time.Minute
	// pruneLate is how long a pass waits for a moment in which nobody comes. Then it takes those in which nobody waits, for a step every
	// choreRounds group commits, and after choreLate any.
	pruneLate = 10 * time.Second
	// pruneRetry is when it is tried again while the store is in trouble.
	pruneRetry = time.Minute
)

// pruneEvery returns how far apart passes are, 0 for none at all.
func pruneEvery(k storage.Retention) (every time.Duration) {
	if k.RefusalRows > 0 {
		every = pruneEveryMax
	}
	for _, age := range [...]time.Duration{k.Changes, k.Refusals, k.Receipts} {
		if age > 0 {
			if one := min(max(age/10, pruneEveryMin), pruneEveryMax); every == 0 || one < every {
				every = one
			}
		}
	}
	return every
}

// pruning is how the committer keeps the retention. Only it uses this.
type pruning struct {
	keep storage.Retention
	next time.Time // of the next pass, or since when the one that is under way is due
	// group commit is the one before which no other step is made, unless nobody comes.
	round int
	// Where a pass has come to in the audit trail: what is before, and still there, is of times to come.
	changes, refusals int64
	pass              pruned // what this pass has removed so far
}

// pruned counts rows.
type pruned struct{ changes, refusals, receipts int64 }

func (p *pruned) add(q pruned) {
	p.changes += q.changes
	p.refusals += q.refusals
	p.receipts += q.receipts
}

// pruneDue returns when the next step is due: not while somebody might come who would have to wait for it, unless that has gone on
// for long.
func (s *Store) pruneDue(quiet time.Time) time.Time {
	next := s.pruning.next
	if next.IsZero() {
		return next
	}
	if calm := quiet.Add(quietTime); next.Before(calm) {
		if late := next.Add(pruneLate); late.Before(calm) && s.rounds >= s.pruning.round {
			return late
		}
		return calm
	}
	return next
}

// prune takes one step: a group commit of its own, of bounded length.
func (s *Store) prune() {
	p := &s.pruning
	if s.commitErr != nil || s.checkpoints.failed {
		p.next = time.Now().Add(pruneRetry) // what removes nothing of anybody's can wait
		return
	}
	p.round = s.rounds + choreRounds
	w := &pruneStep{s: s}
	s.commitBatch([]*request{{op: w}})
	switch {
	case w.failed:
		p.next = time.Now().Add(pruneRetry)
		return
	case w.more:
		if now := time.Now(); p.next.IsZero() || p.next.After(now) {
			p.next = now
		}
		return
	}
	if p.pass != (pruned{}) {
		s.log.Info("records that have reached their age were removed",
			"changes", p.pass.changes, "refusals", p.pass.refusals, "receipts", p.pass.receipts)
	}
	p.pass, p.changes, p.refusals = pruned{}, 0, 0
	if p.next = (time.Time{}); pruneEvery(p.keep) > 0 {
		p.next = time.Now().Add(pruneEvery(p.keep))
	}
}

// cutoff returns the time before which is old what is kept for so long.
func (r *groupCommit) cutoff(age time.Duration) int64 { return r.now - age.Microseconds() }
