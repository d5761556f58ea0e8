package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// maxChanges bounds the changes under way; one more is turned away with ErrUnavailable.
const maxChanges = 8192

// maxBehind bounds the changes of one user that wait, so that one user cannot fill the queue.
const maxBehind = 512

// Bounds of the slot images that changes under way hold, in bytes. While a disk hangs they stay in memory even if their callers
// have left, and removals, which hold none, must find room in memory beside them. One caller gets a quarter at most, so that
// the busiest caller does not take the room of all others.
const (
	maxImageBytes       = 64 << 20
	maxCallerImageBytes = maxImageBytes / 4
)

// operation is what one change does. Its methods run on the committer.
type operation interface {
	// slotClass returns the class of the slot that apply is going to take, if any.
	slotClass() (slab.Class, bool)
	// apply reads and changes metadata in the group commit's transaction, and puts into t what is to be done to slots
	// once that is durable. An error of package storage is the caller's answer, and apply has changed nothing; any
	// other one aborts the transaction. It may be called again after a transaction that failed.
	apply(r *groupCommit, t *request) error
	// finished is called when the group commit has ended: committed says whether the transaction is durable, err why the change
	// is not done. It reports whether the change needs another group commit; otherwise it sets t's answer.
	finished(t *request, committed bool, err error) (again bool)
}

// request is one change on its way through the committer.
type request struct {
	op  operation
	key *storage.UserKey // whose changes queue; nil for a change that belongs to no user

	// image is the slot image of an upload, until it is written or given up; caller is the upload's caller. See queue.hold.
	image  []byte
	caller string

	// Of one group commit.
	write    *slotWrite
	erase    []erasure  // slots to zero
	intended []erasure  // those of them whose receipt is new
	room     [2]erasure // for one of each, which is enough for most changes
	taken    []slotTaken
	scrub    []slab.Span // bytes to zero that belong to no picture
	// changesUsers is set when apply changed what rows remembers of users.
	changesUsers bool
	err          error
	slabErr      error

	// The answer, valid once done is closed.
	result storage.Result
	made   bool
	answer error

	phase atomic.Int32
	done  chan struct{}
}

type slotWrite struct {
	slot  int64
	image []byte
	// rest are the pages of the slot behind the image, when the slot may be a hole: they are written, too.
	rest int64
}

type slotTaken struct {
	slot  int64
	whole bool
}

// Phases of a request that waits behind others: the committer begins it, or its caller leaves.
const (
	phaseWaiting = iota
	phaseBegun
	phaseLeft
)

// reset forgets what a group commit has put into the request.
func (t *request) reset() {
	t.write, t.taken, t.scrub, t.err, t.slabErr = nil, nil, nil, nil, nil
	t.erase, t.intended = t.room[0:0:1], t.room[1:1:2]
}

// queue is where changes arrive. Those of one user pass one after the other, in the order of their arrival: the first
// is with the committer, the rest wait here.
type queue struct {
	mu      sync.Mutex
	arrived []*request
	wanted  int                            // so many have to arrive before the committer is woken
	behind  map[storage.UserKey][]*request // a key is present while a change of that user is with the committer
	count   int
	images  int64            // bytes
	callers map[string]int64 // bytes of images, by caller
	closed  bool
	wake    chan struct{} // holds one token when there is something to do
}

func (l *queue) init() {
	l.behind = make(map[storage.UserKey][]*request)
	l.callers = make(map[string]int64)
	l.wake = make(chan struct{}, 1)
}

// submit hands in a change and waits for its answer or for the end of ctx. A change whose caller leaves while it
// still waits behind others is dropped; one that has begun goes on.
func (l *queue) submit(ctx context.Context, t *request) error {
	t.done = make(chan struct{})
	err := ctx.Err()
	if err == nil {
		err = l.enter(t)
	}
	if err != nil {
		clear(t.image)
		return err
	}
	select {
	case <-t.done:
		return t.answer
	case <-ctx.Done():
	}
	select {
	case <-t.done:
		return t.answer
	default:
		if t.phase.CompareAndSwap(phaseWaiting, phaseLeft) {
			l.drop(t)
		}
		return ctx.Err()
	}
}

func (l *queue) enter(t *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("%w: closed", storage.ErrUnavailable)
	}
	if l.count >= maxChanges {
		return fmt.Errorf("%w: %d changes wait already", storage.ErrUnavailable, l.count)
	}
	if err := l.hold(t); err != nil {
		return err
	}
	l.count++
	if t.key != nil {
		if waiting, busy := l.behind[*t.key]; busy {
			if len(waiting) >= maxBehind {
				l.count--
				l.release(t)
				return fmt.Errorf("%w: %d changes of this user wait already", storage.ErrUnavailable, len(waiting))
			}
			l.behind[*t.key] = append(waiting, t)
			return nil
		}
		l.behind[*t.key] = nil
	}
	l.begin(t)
	return nil
}

// hold counts the image of a change. The caller holds mu.
func (l *queue) hold(t *request) error {
	n := int64(len(t.image))
	switch {
	case n == 0:
		return nil
	case l.images+n > maxImageBytes:
		return fmt.Errorf("%w: uploads of %d bytes wait already", storage.ErrUnavailable, l.images)
	case l.callers[t.caller]+n > maxCallerImageBytes:
		return fmt.Errorf("%w: uploads of %d bytes of this caller wait already", storage.ErrUnavailable, l.callers[t.caller])
	}
	l.images += n
	l.callers[t.caller] += n
	return nil
}

// release undoes hold. The caller holds mu.
func (l *queue) release(t *request) {
	n := int64(len(t.image))
	if n == 0 {
		return
	}
	l.images -= n
	if l.callers[t.caller] -= n; l.callers[t.caller] == 0 {
		delete(l.callers, t.caller)
	}
}

// drop overwrites the image of a change that is not needed any more, and counts it no longer.
func (l *queue) drop(t *request) {
	clear(t.image)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(t)
	t.image = nil
}

// begin passes a request to the committer. The caller holds mu.
func (l *queue) begin(t *request) {
	t.phase.Store(phaseBegun)
	l.arrived = append(l.arrived, t)
	if len(l.arrived) >= l.wanted {
		l.signal()
	}
}

func (l *queue) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// reply answers a change that has reached its final state and lets the user's next one pass.
func (l *queue) reply(t *request) {
	if t.done == nil {
		return // it came from the committer
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	failpointAnswer("answer", t)
	close(t.done)
	failpointAnswer("answered", t)
	l.count--
	if t.key == nil {
		return
	}
	waiting := l.behind[*t.key]
	for i, next := range waiting {
		if next.phase.CompareAndSwap(phaseWaiting, phaseBegun) {
			l.behind[*t.key] = waiting[i+1:]
			l.begin(next)
			return
		}
		l.count-- // its caller has left
	}
	delete(l.behind, *t.key)
}

// take returns everything that has arrived, at most limit changes. idle is set when nothing is under way at all.
func (l *queue) take(batch []*request, limit int) (_ []*request, idle, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	idle = l.count == 0
	n := min(len(l.arrived), max(0, limit-len(batch)))
	batch = append(batch, l.arrived[:n]...)
	rest := copy(l.arrived, l.arrived[n:])
	clear(l.arrived[rest:])
	l.arrived = l.arrived[:rest]
	if rest > 0 {
		l.signal()
	}
	return batch, idle, l.closed
}

// arrivals counts the changes that have arrived and were not taken yet.
func (l *queue) arrivals() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.arrived)
}

// want has the committer woken only once n changes have arrived.
func (l *queue) want(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = n
}

// close refuses all changes from now on.
func (l *queue) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.signal()
}

func (l *queue) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
