package authz

import (
	"sync"
	"time"

	"example.org/avatard/authz/limit"
)

const (
	// failedFor is how often a question that failed twice in a row is asked again.
	failedFor = time.Second
	// failuresInARow are further apart than failedFor, but not than this.
	failuresInARow = time.Minute
	// maxFailed is how many questions are remembered at least, and half of how many at most.
	maxFailed = 1 << 12
)

// failedQuestions remembers the questions about tokens that the provider could not answer of late. A question that fails again and again
// is asked once a second at most, so that it costs the provider and the other callers next to nothing. A
// question that has failed once may be asked again at once: a provider that restarts cuts connections.
//
// A nil *failedQuestions remembers nothing.
type failedQuestions struct {
	now func() time.Time

	mu     sync.Mutex
	recent *limit.RecentMap[cacheKey, failedQuestion]
}

// failedQuestion is a question without a usable answer.
type failedQuestion struct {
	failures int // in a row
	last     time.Time
}

func newFailedQuestions(now func() time.Time) *failedQuestions {
	return &failedQuestions{now: now, recent: limit.NewRecentMap[cacheKey, failedQuestion](maxFailed)}
}

// check returns an error that says when to try again for a question that is not to be asked now. Otherwise it may be asked
// once: where callers do not share the answer, no other caller may ask it for as long, so that a token for which the provider
// hangs takes up little capacity.
func (f *failedQuestions) check(question cacheKey, shared bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	failed, _ := f.recent.Get(question)
	if failed.failures < 2 {
		return nil
	}
	now := f.now()
	if wait := failed.last.Add(failedFor).Sub(now); wait > 0 {
		return &retryError{cause: errFailedBefore, after: wait}
	}
	if !shared && now.Sub(failed.last) < failuresInARow {
		failed.last = now
		f.recent.Set(question, failed)
	}
	return nil
}

// note records how a question ended, with an answer or without, when that says something about the token.
func (f *failedQuestions) note(question cacheKey, err error) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.recent.Delete(question)
		return
	}
	failed, _ := f.recent.Get(question)
	now := f.now()
	if now.Sub(failed.last) > failuresInARow {
		failed.failures = 0
	}
	failed.failures++
	failed.last = now
	f.recent.Set(question, failed)
}
