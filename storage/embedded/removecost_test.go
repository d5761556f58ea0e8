package embedded

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkRemoveSQL measures what SQLite costs a delete: the statements of it, and its share of the commit of a group commit of
// eight. Syncs are counted only, and what happens to slots is left out.
func BenchmarkRemoveSQL(b *testing.B) {
	const users, batch = 20_000, 8
	s, err := Open(context.Background(), Config{Dir: b.TempDir(), WrapFile: (&meter{}).wrap})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	each(256, users, func(i int) { mustPut(b, s, i, 100) })
	b.ResetTimer()
	order := rand.New(rand.NewPCG(1, 2)).Perm(users)
	var apply, commit time.Duration
	requests := make([]*request, batch)
	for i := 0; i < b.N; i += batch {
		if i > 0 && i%users == 0 {
			b.StopTimer()
			each(256, users, func(i int) { mustPut(b, s, i, 100) })
			b.StartTimer()
		}
		for j := range requests {
			rm := removal(order[(i+j)%users])
			requests[j] = &request{op: &remove{rm: rm}, key: &rm.User}
		}
		a, c := transactTimed(b, s, requests)
		apply, commit = apply+a, commit+c
		b.StopTimer()
		s.finishBatch(s.applyToSlots(requests))
		b.StartTimer()
	}
	b.ReportMetric(float64(apply.Nanoseconds())/float64(b.N), "apply-ns/op")
	b.ReportMetric(float64(commit.Nanoseconds())/float64(b.N), "commit-ns/op")
}

// transactTimed does what transact does to a batch of removals. The committer must have nothing to do.
func transactTimed(b *testing.B, s *Store, batch []*request) (apply, commit time.Duration) {
	b.Helper()
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	watermark, _ := s.erasures.plan()
	r := &groupCommit{s: s, db: s.db, now: s.now().UnixMicro(), nextReceipt: s.erasures.issued + 1}
	began := time.Now()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(s.db.run(sqlBegin))
	must(r.db.run(sqlWatermark, watermark))
	first := time.Now()
	for _, t := range batch {
		t.reset()
	}
	must(r.apply(batch))
	apply = time.Since(first)
	must(s.db.run(sqlCommit))
	commit = time.Since(began) - apply
	for _, e := range s.erasures.recorded(watermark) {
		s.slots.Give(e.slot, true)
	}
	for _, t := range batch {
		s.erasures.intend(t.intended)
	}
	return apply, commit
}
