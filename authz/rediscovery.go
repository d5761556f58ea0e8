package authz

import (
	"bytes"
	"time"
)

// When the discovery document is read again: after so many introspections in a row without an answer, and not sooner than
// this after it was read or asked for.
const (
	rediscoverAfter = 3
	rediscoverEvery = time.Minute
)

// noteIntrospection counts failed introspections. Endpoints do not move while they answer, so the discovery document is read again
// only after several in a row have failed.
func (in *Introspector) noteIntrospection(err error) {
	if err != nil {
		if in.failures.Add(1) >= rediscoverAfter {
			in.rediscover()
		}
		return
	}
	if in.failures.Load() != 0 {
		in.failures.Store(0)
	}
}

// rediscover finds out in the background whether the provider introspects somewhere else by now. The known endpoint stays in use
// meanwhile, and also when discovery fails, because it may still be right.
func (in *Introspector) rediscover() {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := in.now()
	if now.Sub(in.discovered) < rediscoverEvery {
		return
	}
	in.discovered = now
	in.failures.Store(0)
	go func() {
		p, err := in.fetchProvider(time.Now().Add(in.timeout))
		if err != nil || bytes.Equal(p.keyPrefix, in.provider.Load().keyPrefix) {
			return // an error is in the log by now
		}
		in.provider.Store(p)
		in.log.Info("identity provider introspects at another endpoint from now on")
	}()
}
