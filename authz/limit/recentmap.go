// Package limit remembers a bounded number of keys and bounds how often something happens for each.
//
// Time and memory are bounded whatever the keys are, because strangers choose them.
//
//	Address ─► key ─► RateLimiter.Allow ─► RecentMap
//
//	recentmap.go    a map of the keys that were set last
//	ratelimiter.go  how often a key may do something, on top of it
//	address.go      what counts as one client address
//
// It does not depend on requests or tokens, which packages authz and server know.
package limit

// RecentMap is a map that forgets the keys that were set longest ago. It is not safe for concurrent use.
//
// There are two maps inside. Keys are set in the young one; when that is full it becomes the old one, and what was the
// old one is dropped as a whole. So a key is kept for at least as long as capacity other keys have not been set since, and
// nothing is ever searched for one to evict.
type RecentMap[K comparable, V any] struct {
	capacity   int
	young, old map[K]V
}

// NewRecentMap returns a map for at least capacity and at most twice as many keys.
func NewRecentMap[K comparable, V any](capacity int) *RecentMap[K, V] {
	return &RecentMap[K, V]{capacity: max(capacity, 1), young: make(map[K]V)}
}

// Get returns what a key was last set to.
func (r *RecentMap[K, V]) Get(key K) (V, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	return v, ok
}

// Set sets a key, and forgets others when there are too many.
func (r *RecentMap[K, V]) Set(key K, value V) {
	if _, there := r.young[key]; !there && len(r.young) >= r.capacity {
		r.Rotate()
	}
	r.young[key] = value
}

// Delete forgets a key.
func (r *RecentMap[K, V]) Delete(key K) {
	delete(r.young, key)
	delete(r.old, key)
}

// Rotate forgets every key that was not set since the last rotation.
func (r *RecentMap[K, V]) Rotate() {
	r.old, r.young = r.young, make(map[K]V)
}

// Len tells how many entries are held; a key that was set before and after a rotation counts twice.
func (r *RecentMap[K, V]) Len() int { return len(r.young) + len(r.old) }
