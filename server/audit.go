package server

import (
	"sync"
	"time"
)

// How many refusals are put into the audit trail in one second. It is there to show attempts, not to count a flood.
const (
	maxRefusals           = 50
	maxRefusalsPerAddress = 10
)

// refusals decides which refusals are recorded, by whole seconds. Its memory is bounded by maxRefusals addresses.
type refusals struct {
	now func() time.Time

	mu      sync.Mutex
	second  int64
	total   int
	byPeer  map[string]int
	dropped int64
}

// allow reports whether a refusal may be recorded, and then how many were not since the last that was.
func (l *refusals) allow(address string) (dropped int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if second := l.now().Unix(); second != l.second || l.byPeer == nil {
		l.second, l.total = second, 0
		l.byPeer = make(map[string]int)
	}
	if l.total >= maxRefusals || l.byPeer[address] >= maxRefusalsPerAddress {
		l.dropped++
		return 0, false
	}
	l.total++
	l.byPeer[address]++
	dropped, l.dropped = l.dropped, 0
	return dropped, true
}
