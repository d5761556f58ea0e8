package authz

import (
	"log/slog"
	"sync"
	"time"
)

// outageLogInterval keeps a provider that is down from filling the log.
const outageLogInterval = 10 * time.Second

// outage tells the log that the provider fails, and that it answers again.
type outage struct {
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	failures int       // since the last success
	next     time.Time // no line before
}

func (o *outage) failed(step, kind string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures++
	now := o.now()
	if o.failures > 1 && now.Before(o.next) {
		return
	}
	o.next = now.Add(outageLogInterval)
	o.log.Warn("identity provider does not answer as it should", "step", step, "failure", kind, "failures", o.failures)
}

func (o *outage) over(step string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Discovery that works says nothing about introspection.
	if o.failures == 0 || step == stepDiscovery {
		return
	}
	o.log.Info("identity provider answers again", "failures", o.failures)
	o.failures = 0
}
