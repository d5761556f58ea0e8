package authz

import (
	"container/list"
	"time"
)

// shelf holds entries in the order they came, the oldest first out. Lives are about equally long, so the oldest is
// also about the first to end.
type fifoCache[V cacheable] struct {
	maxEntries, maxBytes, bytes int

	byKey map[cacheKey]*list.Element
	order *list.List // of *entry[V]
}

type fifoEntry[V cacheable] struct {
	key   cacheKey
	value V
	until time.Time
	bytes int
}

func newFIFOCache[V cacheable](maxEntries, maxBytes int) fifoCache[V] {
	return fifoCache[V]{maxEntries: maxEntries, maxBytes: maxBytes, byKey: make(map[cacheKey]*list.Element), order: list.New()}
}

func (s *fifoCache[V]) get(key cacheKey, now time.Time) *V {
	element, ok := s.byKey[key]
	if !ok {
		return nil
	}
	e := element.Value.(*fifoEntry[V])
	if !now.Before(e.until) {
		return nil
	}
	return &e.value
}

// put adds an entry under a key that is not there, then drops from the old end what has ended or does not fit: each
// entry once, so the cost is constant over time.
func (s *fifoCache[V]) put(key cacheKey, v V, until, now time.Time) {
	e := &fifoEntry[V]{key: key, value: v, until: until, bytes: v.size()}
	s.byKey[key] = s.order.PushBack(e)
	s.bytes += e.bytes
	for front := s.order.Front(); front != nil; front = s.order.Front() {
		oldest := front.Value.(*fifoEntry[V])
		if now.Before(oldest.until) && s.order.Len() <= s.maxEntries && s.bytes <= s.maxBytes {
			return
		}
		s.remove(oldest.key)
	}
}

func (s *fifoCache[V]) remove(key cacheKey) {
	element, ok := s.byKey[key]
	if !ok {
		return
	}
	delete(s.byKey, key)
	s.bytes -= s.order.Remove(element).(*fifoEntry[V]).bytes
}
