package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.org/avatard/internal/ids"
)

// orgLife is how long it is believed that an organisation is registered, and maxOrgs of how many.
const (
	orgLife = 5 * time.Second
	maxOrgs = 10_000
)

// knownOrganizations remembers organisations that are registered, for a short time. Those that are not are asked for each time.
type knownOrganizations struct {
	mu      sync.Mutex
	until   map[string]time.Time
	removed uint64 // how many this process has forgotten
}

// known reports whether an organisation is known; else asked is what learn takes.
func (k *knownOrganizations) known(org string) (known bool, asked uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.until[org]), k.removed
}

// learn remembers what the database has said, unless this process has removed an organisation since it was asked.
func (k *knownOrganizations) learn(org string, asked uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if asked != k.removed {
		return
	}
	if k.until == nil || len(k.until) >= maxOrgs {
		k.until = make(map[string]time.Time)
	}
	k.until[org] = time.Now().Add(orgLife)
}

func (k *knownOrganizations) forget(org string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.until, org)
	k.removed++
}

// HasOrganization implements [storage.Store].
func (s *Store) HasOrganization(ctx context.Context, org string) (bool, error) {
	if s.closed.Load() {
		return false, fmt.Errorf("has organisation: %w", errClosed)
	}
	if !ids.Valid(org) {
		return false, nil
	}
	known, asked := s.orgs.known(org)
	if known {
		return true, ctx.Err()
	}
	state, err := scanState(s.pool.QueryRow(ctx, sqlOrganizationState, org))
	if err != nil {
		return false, fmt.Errorf("has organisation: %w", unavailable(ctx, err))
	}
	if state.On() {
		s.orgs.learn(org, asked)
	}
	return state.On(), nil
}
