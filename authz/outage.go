package authz

import (
	"log/slog"
	"sync"
	"time"
)

// outageLogInterval keeps a provider that is down from filling the log.
const outageLogInterval = 10 * time.Second

// outage tells the log that the provider fails, and that it answers again: two lines in outageLogInterval, also when it
// fails for one token and answers about another in turns.
type outage struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	failures int       // since the last line about recovery
	told     bool      // the log knows of a failure since then
	next     time.Time // no line about a failure before
}

func (o *outage) failed(step, kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures++
	now := o.now()
	if now.Before(o.next) {
		return
	}
	o.next, o.told = now.Add(outageLogInterval), true
	o.log.Warn("identity provider does not answer as it should", "step", step, "failure", kind, "failures", o.failures)
}

func (o *outage) over(step string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Discovery that works says nothing about introspection.
	if !o.told || step == stepDiscovery {
		return
	}
	o.log.Info("identity provider answers again", "failures", o.failures)
	o.failures, o.told = 0, false
}
