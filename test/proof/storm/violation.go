package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Kinds of violations.
const (
	wrong    = "a read shows what cannot be there"
	damaged  = "a picture is damaged"
	remains  = "something is listed after a 200"
	twice    = "a PUT was sent twice"
	answer   = "an answer is wrong"
	sequence = "a sequence went back"
	unready  = "a server does not recover"
	undone   = "work is left undone"
)

// maxTold bounds how many violations are told in full, beside the first of each kind.
const maxTold = 3

// violation is one thing that must not be.
type violation struct {
	Kind  string   `json:"kind"`
	User  string   `json:"user,omitempty"`
	Text  string   `json:"text"`
	Story []string `json:"story,omitempty"` // of the user
}

// violations collects them.
type violations struct {
	mu    sync.Mutex
	list  []violation
	count map[string]int
}

func (v *violations) add(p *person, kind, format string, args ...any) {
	found := violation{Kind: kind, Text: fmt.Sprintf(format, args...)}
	if p != nil {
		p.note(time.Now(), "VIOLATION: %s: %s", kind, found.Text)
		found.User, found.Story = p.ID, append([]string(nil), p.notes...)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count == nil {
		v.count = make(map[string]int)
	}
	v.count[kind]++
	if len(v.list) < maxTold || v.count[kind] == 1 {
		v.list = append(v.list, found)
	}
}

// broken returns the first one by which the promise of a delete was broken, and not that of an answer or of a server that recovers.
func (v *violations) broken() (found violation, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.list {
		if slices.Contains([]string{wrong, damaged, remains, twice, sequence}, one.Kind) {
			return one, true
		}
	}
	return violation{}, false
}

func (v *violations) any() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.list) > 0
}

// of returns how many there are of a kind.
func (v *violations) of(kind string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.count[kind]
}

// tell prints all that is needed to understand them.
func (v *violations) tell(w io.Writer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.list {
		fmt.Fprintf(w, "VIOLATION: %s\n  %s\n", one.Kind, one.Text)
		if one.User != "" {
			fmt.Fprintf(w, "  user %s:\n", one.User)
			for _, line := range one.Story {
				fmt.Fprintf(w, "    %s\n", line)
			}
		}
	}
	for kind, n := range v.count {
		fmt.Fprintf(w, "%d × %s\n", n, kind)
	}
}
