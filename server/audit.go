package server

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"example.org/avatard/storage"
)

const (
	// refusalPause is how long refusals are gathered before they are put into the audit trail.
	refusalPause = time.Second
	// unprovenPause is the same for messages to hooks that nobody is proven to have sent: a stranger makes no more than a few records a minute,
	// and does not drive out those of others.
	unprovenPause = time.Minute
	// maxRefusals is how many records of refusals are made after each pause. The trail shows attempts; it does not have to hold a flood.
	maxRefusals = 50
	// maxRefusalKinds bounds the kinds of refusals that are remembered. A caller has about sixty.
	maxRefusalKinds = 1024
)

// refusals gathers refusals for the audit trail: one record for all refusals of a kind, with their number. Where there are too many kinds
// at once, each caller's rarest go first, and the others wait: a noisy caller hides neither another caller's refusals nor another
// kind of their own.
type refusals struct {
	record func(storage.Refusal)
	pause  time.Duration

	mu     sync.Mutex
	kinds  map[refusalKind]*refusalSum
	timer  *time.Timer // nil = nothing is gathered
	untold int64       // refusals that no record stands for yet
	lost   uint64      // refusals whose kind was forgotten, so far
}

// refusalKind is what refusals in one record have in common.
type refusalKind struct{ caller, organization, action, reason string }

// refusalSum counts the refusals of one kind.
type refusalSum struct {
	refusalKind
	first storage.Refusal
	count int64
}

// add takes a refusal, to be recorded within a pause or soon after.
func (l *refusals) add(r storage.Refusal) {
	kind := refusalKind{r.By.Caller, r.By.CallerOrganization, r.Action, r.Reason}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.kinds[kind]; known != nil {
		known.count++
		return
	}
	if l.kinds == nil {
		l.kinds = make(map[refusalKind]*refusalSum)
	}
	if len(l.kinds) >= maxRefusalKinds {
		l.forget()
	}
	l.kinds[kind] = &refusalSum{refusalKind: kind, first: r, count: 1}
	if l.timer == nil {
		l.timer = time.AfterFunc(l.pause, func() { l.flush(maxRefusals) })
	}
}

// forget drops the most frequent kind.
func (l *refusals) forget() {
	var most *refusalSum
	for _, g := range l.kinds {
		if most == nil || g.count > most.count {
			most = g
		}
	}
	delete(l.kinds, most.refusalKind)
	l.untold += most.count
	l.lost += uint64(most.count)
}

// forgotten tells how many refusals were lost so far.
func (l *refusals) forgotten() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// flush records at most room kinds.
func (l *refusals) flush(room int) {
	l.mu.Lock()
	chosen := rarest(l.kinds, room)
	for _, g := range chosen {
		delete(l.kinds, g.refusalKind)
		g.first.Dropped = g.count - 1 + l.untold
		l.untold = 0
	}
	switch {
	case l.timer != nil && len(l.kinds) > 0:
		l.timer.Reset(l.pause)
	case l.timer != nil:
		l.timer.Stop()
		l.timer = nil
	}
	l.mu.Unlock()
	for _, g := range chosen {
		l.record(g.first)
	}
}

// rarest chooses some kinds: the rarest of each caller, then the second of each, and so on; callers with few refusals first.
func rarest(kinds map[refusalKind]*refusalSum, room int) []*refusalSum {
	all := make([]*refusalSum, 0, len(kinds))
	refused := make(map[string]int64) // by caller
	for _, g := range kinds {
		all = append(all, g)
		refused[g.caller] += g.count
	}
	slices.SortFunc(all, func(a, b *refusalSum) int {
		return cmp.Or(cmp.Compare(a.count, b.count), strings.Compare(a.action, b.action), strings.Compare(a.reason, b.reason),
			strings.Compare(a.organization, b.organization))
	})
	rank, taken := make(map[*refusalSum]int, len(all)), make(map[string]int)
	for _, g := range all {
		rank[g] = taken[g.caller]
		taken[g.caller]++
	}
	slices.SortStableFunc(all, func(a, b *refusalSum) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(refused[a.caller], refused[b.caller]), strings.Compare(a.caller, b.caller))
	})
	return all[:min(room, len(all))]
}
