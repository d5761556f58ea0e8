package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/anishathalye/porcupine"
)

// maxOpen is how many changes of one user may be without an outcome, in a whole history. Each doubles what a check has to
// consider.
const maxOpen = 10

// recorder writes a history down. Its methods may be called concurrently.
type recorder struct {
	mu      sync.Mutex
	clock   int64
	calls   []porcupine.Operation
	ended   []bool
	open    map[int]bool   // calls that may still take effect
	risk    map[string]int // by user: changes that are open, or were, or are under way
	done    int            // calls that belong to the history
	opened  int
	dropped int // reads without an answer
	wrong   []string
}

func newRecorder() *recorder {
	return &recorder{open: make(map[int]bool), risk: make(map[string]int)}
}

func (r *recorder) tick() int64 {
	r.clock++
	return r.clock
}

// begin notes that a call is about to be made. It refuses a change when it could become one open outcome too many.
func (r *recorder) begin(client int, in call) (id int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.Kind != read {
		if r.risk[in.User] >= maxOpen {
			return 0, false
		}
		r.risk[in.User]++
	}
	r.calls = append(r.calls, porcupine.Operation{ClientId: client, Input: in, Call: r.tick()})
	r.ended = append(r.ended, false)
	return len(r.calls) - 1, true
}

// answered notes what a call came to.
func (r *recorder) answered(id int, out outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(id, out)
	if in := r.calls[id].Input.(call); in.Kind != read {
		r.risk[in.User]--
	}
}

func (r *recorder) end(id int, out outcome) {
	r.calls[id].Output, r.calls[id].Return = out, r.tick()
	r.ended[id] = true
	r.done++
}

// unanswered notes that nobody knows what a call came to. A read without an answer says nothing; a change may take effect
// at any time until restarted is called.
func (r *recorder) unanswered(id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[id].Input.(call).Kind == read {
		r.dropped++
		return
	}
	r.open[id] = true
	r.opened++
}

// restarted notes that the process which had the open calls is dead and that the next one has recovered and serves: what
// they did, they have done. It ends them all.
func (r *recorder) restarted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.calls { // in order, so that equal histories are written down equally
		if r.open[id] {
			r.end(id, outcome{Open: true, Picture: none})
		}
	}
	clear(r.open)
}

// complain notes an answer that is wrong whatever the history.
func (r *recorder) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// length returns how many calls the history has so far.
func (r *recorder) length() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

// mostOpen returns the largest number of open outcomes of a user. No call is under way.
func (r *recorder) mostOpen() (most int) {
	for _, n := range r.risk {
		most = max(most, n)
	}
	return most
}

// history returns all calls that have an outcome or, being open, an end. An open call keeps its client from nothing: for
// the drawing it gets a line of its own.
func (r *recorder) history() (history []porcupine.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := 0
	for _, op := range r.calls {
		line = max(line, op.ClientId+1)
	}
	for id, op := range r.calls {
		if !r.ended[id] {
			continue
		}
		if op.Output.(outcome).Open {
			op.ClientId = line
			line++
		}
		history = append(history, op)
	}
	return history
}

// withoutSequence returns a history of clients who do not look at the details: pictures alone have to tell.
func withoutSequence(history []porcupine.Operation) []porcupine.Operation {
	history = slices.Clone(history)
	for i := range history {
		out := history[i].Output.(outcome)
		out.Sequence = 0
		history[i].Output = out
	}
	return history
}
