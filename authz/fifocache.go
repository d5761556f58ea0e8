package authz

import (
	"container/list"
	"time"
)

// fifoCache holds entries in the order in which they were put and drops the oldest first. Their lives are about equally long, so the
// oldest is also about the first to end.
type fifoCache[V cacheable] struct {
	maxEntries, maxBytes, bytes int

	byKey map[cacheKey]*list.Element
	order *list.List // of *fifoEntry[V]
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

func (c *fifoCache[V]) get(key cacheKey, now time.Time) *V {
	element, ok := c.byKey[key]
	if !ok {
		return nil
	}
	e := element.Value.(*fifoEntry[V])
	if !now.Before(e.until) {
		return nil
	}
	return &e.value
}

// put adds an entry under a key that is not there, then drops entries from the old end that have ended or do not fit. It drops each
// entry once, so the cost is constant over time.
func (c *fifoCache[V]) put(key cacheKey, v V, until, now time.Time) {
	e := &fifoEntry[V]{key: key, value: v, until: until, bytes: v.size()}
	c.byKey[key] = c.order.PushBack(e)
	c.bytes += e.bytes
	for front := c.order.Front(); front != nil; front = c.order.Front() {
		oldest := front.Value.(*fifoEntry[V])
		if now.Before(oldest.until) && c.order.Len() <= c.maxEntries && c.bytes <= c.maxBytes {
			return
		}
		c.remove(oldest.key)
	}
}

func (c *fifoCache[V]) remove(key cacheKey) {
	element, ok := c.byKey[key]
	if !ok {
		return
	}
	delete(c.byKey, key)
	c.bytes -= c.order.Remove(element).(*fifoEntry[V]).bytes
}
