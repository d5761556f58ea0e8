package main

import (
	"fmt"
	"io"
	"sync"
)

// maxTold bounds how many violations are told in full.
const maxTold = 20

// violation is one thing that must not be.
type violation struct {
	Kind   string   `json:"kind"`
	User   string   `json:"user,omitempty"`
	Text   string   `json:"text"`
	Events []string `json:"events,omitempty"` // of the user
	Kill   int      `json:"kill"`             // after how many kills it was found
}

// violations collects them.
type violations struct {
	mu    sync.Mutex
	kills int
	list  []violation
	count map[string]int // by kind
}

func (v *violations) add(u *user, kind, format string, args ...any) {
	found := violation{Kind: kind, Text: fmt.Sprintf(format, args...)}
	if u != nil {
		found.User, found.Events = u.ID, u.events()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count == nil {
		v.count = make(map[string]int)
	}
	v.count[kind]++
	if found.Kill = v.kills; len(v.list) < maxTold {
		v.list = append(v.list, found)
	}
}

// killed counts a kill.
func (v *violations) killed() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kills++
	return v.kills
}

func (v *violations) any() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.list) > 0
}

// tell prints all that is needed to understand them.
func (v *violations) tell(w io.Writer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, one := range v.list {
		fmt.Fprintf(w, "VIOLATION after %d kills: %s\n  %s\n", one.Kill, one.Kind, one.Text)
		if one.User != "" {
			fmt.Fprintf(w, "  user %s:\n", one.User)
			for _, line := range one.Events {
				fmt.Fprintf(w, "    %s\n", line)
			}
		}
	}
	for kind, n := range v.count {
		fmt.Fprintf(w, "%d × %s\n", n, kind)
	}
}
