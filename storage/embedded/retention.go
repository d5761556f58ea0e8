package embedded

import (
	"time"

	"example.org/avatard/storage"
)

// How retention is kept.
const (
	// pruneRows bounds the rows that one transaction looks at, or takes away.
	pruneRows = 2000
	// A pass begins every tenth of the shortest age that is configured, within these bounds.
	pruneEveryMin = 100 * time.Millisecond
	pruneEveryMax = 10 * time.Minute
	// pruneLate is how long a pass waits for a time without callers. After that it makes a step every choreCommits group commits when
	// the queue is empty, and after choreLate in any case.
	pruneLate = 10 * time.Second
	// pruneRetry is the time between tries while transactions or checkpoints fail.
	pruneRetry = time.Minute
)

// pruneEvery returns how far apart passes are, 0 for none at all.
func pruneEvery(k storage.Retention) time.Duration { return k.PassEvery(pruneEveryMin, pruneEveryMax) }

// pruning is the committer's state of removing old records. Only the committer uses it.
type pruning struct {
	keep storage.Retention
	next time.Time // when the next pass is due, or since when the pass under way is due
	// notBefore is the number of the group commit before which no other step is made while callers keep coming.
	notBefore int
	// How far the pass has come in the audit trail. Earlier rows that are still there have a later time: the clock was ahead.
	changes, refusals, origins int64
	pass                       pruned // what this pass has removed so far
}

// pruned counts rows.
type pruned struct{ changes, refusals, receipts int64 }

func (p *pruned) add(q pruned) {
	p.changes += q.changes
	p.refusals += q.refusals
	p.receipts += q.receipts
}

// pruneDue returns when the next step is due: quietTime after the last group commit, or earlier when callers have kept it waiting for
// pruneLate.
func (s *Store) pruneDue(quiet time.Time) time.Time {
	next := s.pruning.next
	if next.IsZero() {
		return next
	}
	if calm := quiet.Add(quietTime); next.Before(calm) {
		if late := next.Add(pruneLate); late.Before(calm) && s.groupCommits >= s.pruning.notBefore {
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
		p.next = time.Now().Add(pruneRetry) // no user waits for this
		return
	}
	p.notBefore = s.groupCommits + choreCommits
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
	p.pass, p.changes, p.refusals, p.origins = pruned{}, 0, 0, 0
	if p.next = (time.Time{}); pruneEvery(p.keep) > 0 {
		p.next = time.Now().Add(pruneEvery(p.keep))
	}
}

// cutoff returns the time before which records are old that are kept for so long.
func (r *groupCommit) cutoff(age time.Duration) int64 { return r.now - age.Microseconds() }
