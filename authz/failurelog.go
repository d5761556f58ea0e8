package authz

import (
	"log/slog"
	"sync"
	"time"
)

// logInterval keeps a provider that is down from filling the log.
const logInterval = 10 * time.Second

// failureLog logs that the provider fails, and that it answers again. It writes at most two lines in logInterval, also when the provider
// fails for one token and answers about another in turns.
type failureLog struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	failures int       // since the last line about recovery
	logged   bool      // whether there was a line about one of them
	next     time.Time // when the next line about a failure may be written
}

func (f *failureLog) recordFailure(operation, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures++
	now := f.now()
	if now.Before(f.next) {
		return
	}
	f.next, f.logged = now.Add(logInterval), true
	f.log.Warn("identity provider does not answer as it should", "step", operation, "failure", kind, "failures", f.failures)
}

func (f *failureLog) recordSuccess(operation string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Discovery that works says nothing about introspection.
	if !f.logged || operation == operationDiscovery {
		return
	}
	f.log.Info("identity provider answers again", "failures", f.failures)
	f.failures, f.logged = 0, false
}
