package server

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// hookMemoryTime is how long the id of an event is remembered behind the last message about it that was taken.
	hookMemoryTime = 24 * time.Hour
	// maxHookEvents bounds the ids that one hook remembers, of some 200 bytes each. Where there are more, the oldest go first: what keeps
	// an event from counting twice is the registration's time, which the store keeps.
	maxHookEvents = 1 << 16
)

// hookMemory knows the events of one hook that are being dealt with, and those that were.
type hookMemory struct {
	mu    sync.Mutex
	busy  map[hookEventID]bool
	done  map[hookEventID]*list.Element // of *hookEvent
	order *list.List                    // the one that was taken first is in front
}

// hookEventID is a digest of an event's id, which may be long.
type hookEventID [sha256.Size]byte

// hookEvent is an event that was dealt with.
type hookEvent struct {
	id     hookEventID
	signed time.Time // when the newest message about it was signed
	taken  time.Time // when that came
}

func newHookMemory() *hookMemory {
	return &hookMemory{busy: make(map[hookEventID]bool), done: make(map[hookEventID]*list.Element), order: list.New()}
}

// hookMessage is what a message is to the memory.
type hookMessage int

const (
	hookNew      hookMessage = iota // its event was not dealt with: the caller does, and then calls end
	hookRepeated                    // its event was dealt with, and the sender has signed anew
	hookReplay                      // the very message, or an older one about an event that was dealt with
	hookBusy                        // its event is being dealt with
)

// begin decides what a message is.
func (m *hookMemory) begin(id string, signed, now time.Time) hookMessage {
	key := hookEventID(sha256.Sum256([]byte(id)))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	known := m.done[key]
	switch {
	case m.busy[key]:
		return hookBusy
	case known == nil:
		m.busy[key] = true
		return hookNew
	case !signed.After(known.Value.(*hookEvent).signed):
		return hookReplay
	}
	m.remember(key, signed, now)
	return hookRepeated
}

// end says how an event that begin called new has ended. One that was not dealt with may come again.
func (m *hookMemory) end(id string, signed, now time.Time, done bool) {
	key := hookEventID(sha256.Sum256([]byte(id)))
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, key)
	if done {
		m.remember(key, signed, now)
	}
}

// remember puts an event behind all others. The caller holds mu.
func (m *hookMemory) remember(key hookEventID, signed, now time.Time) {
	if known := m.done[key]; known != nil {
		m.order.Remove(known)
	}
	m.done[key] = m.order.PushBack(&hookEvent{key, signed, now})
	if m.order.Len() > maxHookEvents {
		m.drop(m.order.Front())
	}
}

// forget drops what is older than hookMemoryTime. The caller holds mu.
func (m *hookMemory) forget(now time.Time) {
	for front := m.order.Front(); front != nil && now.Sub(front.Value.(*hookEvent).taken) > hookMemoryTime; front = m.order.Front() {
		m.drop(front)
	}
}

func (m *hookMemory) drop(e *list.Element) {
	delete(m.done, m.order.Remove(e).(*hookEvent).id)
}
