package authz

import (
	"fmt"
	"log/slog"
	"runtime/debug"
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
	if o.failures == 0 || step != stepIntrospection {
		return
	}
	o.log.Info("identity provider answers again", "failures", o.failures)
	o.failures = 0
}

// Steps of a look-up.
const (
	stepDiscovery     = "discovery"
	stepIntrospection = "introspection"
)

// report logs how a step ended and turns what went wrong into ErrUnavailable with the step and the kind of failure.
// A panic, which could only be a fault of ours or of the library, must not end the process from a goroutine that
// belongs to no request; its value may quote an answer and is not logged.
func (in *Introspector) report(step string, panicked any, err error) error {
	var kind string
	switch {
	case panicked != nil:
		kind = "panic"
		in.outage.log.Error("panic while asking the identity provider", "step", step,
			"type", fmt.Sprintf("%T", panicked), "stack", string(debug.Stack()))
	case err == nil:
		in.outage.over(step)
		return nil
	default:
		kind = failureKind(err)
	}
	in.outage.failed(step, kind)
	return fmt.Errorf("%w: %s: %s", ErrUnavailable, step, kind)
}
