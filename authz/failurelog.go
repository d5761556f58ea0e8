package authz

import (
	"log/slog"
	"sync"
	"time"
)

// outageLogInterval keeps a provider that is down from filling the log.
const logInterval = 10 * time.Second

// outage tells the log that the provider fails, and that it answers again: two lines in outageLogInterval, also when it
// fails for one token and answers about another in turns.
type failureLog struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	failures int       // since the last line about recovery
	logged   bool      // the log knows of a failure since then
	next     time.Time // no line about a failure before
}

func (f *failureLog) recordFailure(step, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures++
	now := f.now()
	if now.Before(f.next) {
		return
	}
	f.next, f.logged = now.Add(logInterval), true
	f.log.Warn("identity provider does not answer as it should", "step", step, "failure", kind, "failures", f.failures)
}

func (f *failureLog) recordSuccess(step string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Discovery that works says nothing about introspection.
	if !f.logged || step == operationDiscovery {
		return
	}
	f.log.Info("identity provider answers again", "failures", f.failures)
	f.failures, f.logged = 0, false
}
