package embedded

import (
	"sync"

	"example.org/avatard/storage"
)

// maxRefusals bounds the records of refusals that wait for a group commit.
const maxRefusals = 256

// refusals are records that the next group commit takes along; no caller waits for them.
type refusals struct {
	mu      sync.Mutex
	records []storage.Refusal
	dropped int64
}

// RecordRefusal implements [storage.Store].
func (s *Store) RecordRefusal(r storage.Refusal) {
	r = r.Fit()
	s.refusals.mu.Lock()
	defer s.refusals.mu.Unlock()
	if len(s.refusals.records) >= maxRefusals {
		s.refusals.dropped = addBounded(s.refusals.dropped, addBounded(r.Dropped, 1))
		return
	}
	r.Dropped = addBounded(r.Dropped, s.refusals.dropped)
	s.refusals.dropped = 0
	s.refusals.records = append(s.refusals.records, r)
	if len(s.refusals.records) == 1 {
		s.queue.signal()
	}
}

// addBounded adds counts, which stay at the largest a backup holds.
func addBounded(a, b int64) int64 {
	return min(min(a, storage.MaxCount)+min(b, storage.MaxCount), storage.MaxCount)
}

func (q *refusals) waiting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.records) > 0
}

func (q *refusals) take() []storage.Refusal {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.records
	q.records = nil
	return taken
}

// giveBack takes records back whose transaction failed.
func (q *refusals) giveBack(records []storage.Refusal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := min(len(records), maxRefusals-len(q.records))
	q.dropped = addBounded(q.dropped, int64(len(records)-room))
	q.records = append(records[:room:room], q.records...)
}

// audit records a change in the transaction that makes it.
func (r *groupCommit) audit(action, organization, target string, by storage.Origin) error {
	return r.db.run(sqlAudit, r.now, action, storage.AuditDone, by.Caller, by.CallerOrganization, organization, target, by.RequestID, int64(0))
}

func (r *groupCommit) auditRefusal(f storage.Refusal) error {
	return r.db.run(sqlRefusal, r.now, f.Action, f.Reason, f.By.Caller, f.By.CallerOrganization, f.Organization, f.Target,
		f.By.RequestID, f.Dropped)
}
