package server

import (
	"bytes"
	"container/list"
	"hash/maphash"
	"sync"
	"time"

	"example.org/avatard/storage"
)

const (
	// DefaultRenditionBytes is enough for some thousand pictures of a list.
	DefaultRenditionBytes = 16 << 20
	// renditionLife is how long a rendition is kept. It bounds how long the memory of this process holds a picture that another process
	// erased, and that nobody asked for since.
	renditionLife = 5 * time.Minute
	// renditionCost is what a rendition counts for beside its bytes.
	renditionCost = 1 << 10
	// renditionSlots is in how many groups users are told apart where drops are counted.
	renditionSlots = 256
)

// rendition names a picture in one size.
type rendition struct {
	user       storage.UserKey
	generation string
	side       int
}

// renditions keeps pictures that were made smaller, in memory alone and within a number of bytes; those go first that nobody asked for
// the longest. It decides nothing: callers ask the store first which generation a user has, and get what is kept of that one. Bytes that are
// let go of are overwritten.
type renditions struct {
	room int // bytes
	seed maphash.Seed

	mu     sync.Mutex
	people map[storage.UserKey]*personRenditions
	latest list.List // of *keptRendition, the one that was asked for last in front
	used   int       // bytes
	drops  [renditionSlots]uint64
	hits   uint64
	misses uint64
	expiry *time.Timer // nil = nothing is kept
}

// personRenditions are those of one picture, by their side.
type personRenditions struct {
	generation string
	bySide     map[int]*list.Element
}

type keptRendition struct {
	rendition
	format storage.Format
	data   []byte
	made   time.Time
}

func (k *keptRendition) cost() int { return len(k.data) + renditionCost }

// RenditionStats is the state of the memory for pictures that were made smaller.
type RenditionStats struct {
	Size, Used   int // bytes
	Entries      int
	Hits, Misses uint64 // reads that found their picture there, and those that did not
}

func newRenditions(room int) *renditions {
	return &renditions{room: room, seed: maphash.MakeSeed(), people: make(map[storage.UserKey]*personRenditions)}
}

// since returns a number to keep with. It is asked for before the store is.
func (c *renditions) since(user storage.UserKey) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drops[c.slot(user)]
}

// size returns how many bytes are kept of a rendition, 0 = it is not kept. The store has just said that the generation is the user's:
// what is kept of another one is dropped.
func (c *renditions) size(of rendition) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	person := c.people[of.user]
	if person == nil {
		return 0
	}
	if person.generation != of.generation {
		c.forget(of.user)
		return 0
	}
	if e := person.bySide[of.side]; e != nil {
		return len(e.Value.(*keptRendition).data)
	}
	return 0
}

// get returns a copy of a rendition.
func (c *renditions) get(of rendition) (p storage.Picture, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	person := c.people[of.user]
	if person == nil || person.generation != of.generation || person.bySide[of.side] == nil {
		c.misses++
		return storage.Picture{}, false
	}
	c.hits++
	e := person.bySide[of.side]
	c.latest.MoveToFront(e)
	kept := e.Value.(*keptRendition)
	return storage.Picture{Generation: of.generation, Format: kept.format, Data: bytes.Clone(kept.data)}, true
}

// keep keeps a copy of a rendition, unless the user's were dropped since the number was returned: its picture may be gone by now.
func (c *renditions) keep(of rendition, since uint64, format storage.Format, data []byte) {
	kept := &keptRendition{rendition: of, format: format, made: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops[c.slot(of.user)] != since || len(data)+renditionCost > c.room {
		return
	}
	person := c.people[of.user]
	if person != nil && person.generation != of.generation {
		c.forget(of.user)
		person = nil
	}
	if person == nil {
		person = &personRenditions{of.generation, make(map[int]*list.Element)}
		c.people[of.user] = person
	}
	if person.bySide[of.side] != nil {
		return // somebody else was faster
	}
	kept.data = bytes.Clone(data)
	person.bySide[of.side] = c.latest.PushFront(kept)
	for c.used += kept.cost(); c.used > c.room; {
		c.remove(c.latest.Back())
	}
	if c.expiry == nil {
		c.expiry = time.AfterFunc(renditionLife, c.expire)
	}
}

// drop lets go of all that is kept of a user's picture, and of what is being made of it.
func (c *renditions) drop(user storage.UserKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops[c.slot(user)]++
	c.forget(user)
}

// expire lets go of what has been kept for long.
func (c *renditions) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, next := time.Now(), renditionLife
	for e := c.latest.Front(); e != nil; {
		following := e.Next()
		left := renditionLife - now.Sub(e.Value.(*keptRendition).made)
		if left <= 0 {
			c.remove(e)
		} else {
			next = min(next, left)
		}
		e = following
	}
	if c.latest.Len() == 0 {
		c.expiry = nil
		return
	}
	c.expiry.Reset(next)
}

func (c *renditions) stats() RenditionStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return RenditionStats{Size: c.room, Used: c.used, Entries: c.latest.Len(), Hits: c.hits, Misses: c.misses}
}

func (c *renditions) slot(user storage.UserKey) uint64 {
	return maphash.Comparable(c.seed, user) % renditionSlots
}

// The methods below are called with mu held.

func (c *renditions) forget(user storage.UserKey) {
	if person := c.people[user]; person != nil {
		for _, e := range person.bySide {
			c.remove(e)
		}
	}
}

func (c *renditions) remove(e *list.Element) {
	kept := c.latest.Remove(e).(*keptRendition)
	clear(kept.data)
	c.used -= kept.cost()
	person := c.people[kept.user]
	if delete(person.bySide, kept.side); len(person.bySide) == 0 {
		delete(c.people, kept.user)
	}
}
