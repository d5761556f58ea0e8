package authz

import (
	"sync"
	"time"

	"example.org/avatard/authz/limit"
)

const (
	// knownFor is how long a token counts as known after the provider has called it active.
	knownFor = 10 * time.Minute
	// maxKnown is how many tokens are remembered at least, and half of how many at most. Each takes 48 bytes.
	maxKnown = 1 << 14
)

// knownTokens remembers which tokens were active of late. It holds hashes and times but no answer: a known token is asked about with
// priority, and its caller is let in only by the provider's answer.
type knownTokens struct {
	life time.Duration

	mu    sync.Mutex
	until *limit.RecentMap[cacheKey, int64] // Unix nanoseconds
}

// newKnownTokens returns an empty memory. An answer that a cache keeps for ttl counts as new all that time.
func newKnownTokens(ttl time.Duration) *knownTokens {
	return &knownTokens{life: knownFor + ttl, until: limit.NewRecentMap[cacheKey, int64](maxKnown)}
}

func (k *knownTokens) has(key cacheKey, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, ok := k.until.Get(key)
	return ok && now.UnixNano() < until
}

// note records what the provider said of a token. A token that is refused now is no longer known.
func (k *knownTokens) note(key cacheKey, active bool, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if active {
		k.until.Set(key, now.Add(k.life).UnixNano())
	} else {
		k.until.Delete(key)
	}
}
