package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/test/program"
)

// attack is one thing that strangers try.
type attack struct {
	name  string
	about string
	run   func(ctx context.Context, a *attacker) error
	// holdsLog: nobody reads the server's standard error meanwhile.
	holdsLog bool
}

// attacks are all of them, in the order in which they are made.
func attacks() []attack {
	return []attack{
		{name: "trailers", about: "HTTP/2 calls held open, each announcing a thousand trailers with one byte", run: holdTrailers},
		{name: "headers", about: "HTTP/2 calls held open, each with 60 KB of header fields", run: holdHeaders},
		{name: "connections", about: "one address opens all the connections there are", run: takeConnections},
		{name: "ghosts", about: "uploads wait behind slow ones of the same caller, and their clients leave", run: leaveUploads},
		{name: "readers", about: "readers over HTTP/1.1 from 40 addresses who take nothing", run: readSlowly},
		{name: "windows", about: "readers over HTTP/2 from 40 addresses who open no window", run: readWithoutWindow},
		{name: "reflection", about: "2,300 questions a stream about the largest file", run: askReflection},
		{name: "uploads", about: "four accounts upload a byte a second", run: uploadSlowly},
		{name: "refused", about: "calls without a token, with invented ones and without permission", run: callInVain},
		{name: "deaf", about: "calls of all kinds, while nobody reads the server's standard error", run: fillLog, holdsLog: true},
	}
}

func attackNames() (names []string) {
	for _, a := range attacks() {
		names = append(names, a.name)
	}
	return names
}

// attacksNamed returns the attacks of a list with commas, all of them for "".
func attacksNamed(list string) (chosen []attack, err error) {
	if list == "" {
		return attacks(), nil
	}
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, a := range attacks() {
			if a.name == name {
				chosen = append(chosen, a)
				continue next
			}
		}
		return nil, fmt.Errorf("no attack %q; there are %s", name, strings.Join(attackNames(), ", "))
	}
	return chosen, nil
}

// roleAttack is the process of an attack, which the program starts of itself.
const roleAttack = "attack-role"

// order is what the attack's process is told, as one JSON text on its standard input. It attacks until that is closed.
type order struct {
	Attack   string
	Server   string   // host and port
	Accounts []string // tokens of people with nothing else in the siege
	Picture  string   // path of a large picture that anyone may read
	Users    []string // ids of users whom the accounts have no power over
	Held     int      // connections with calls that are held open
}

// toll is what an attack has done, as the process tells in the end.
type toll struct {
	Ready    bool  `json:",omitempty"` // told before: all is in place, and nothing else is said
	Tries    int64 // connections, streams or calls begun
	Sent     int64 // bytes over connections of the attack, as far as they are counted
	Received int64
}

// attacker is an attack's own process, seen from inside.
type attacker struct {
	order
	toll struct{ tries, sent, received atomic.Int64 }
	// ready is called when everything that the attack begins with is in place.
	ready func()
}

// attackRole is the attack's process. It tells when all is in place, and its toll at the end, as JSON.
func attackRole(ctx context.Context, in io.Reader, out io.Writer) error {
	commands := json.NewDecoder(in)
	a := &attacker{}
	if err := commands.Decode(&a.order); err != nil {
		return err
	}
	chosen, err := attacksNamed(a.Attack)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	var mu sync.Mutex // of answers and told
	told := false
	a.ready = func() {
		mu.Lock()
		defer mu.Unlock()
		if !told {
			told = true
			_ = answers.Encode(toll{Ready: true}) // a parent that does not read it does not wait for it either
		}
	}
	ctx, cancel := program.UntilClosed(ctx, in)
	defer cancel()
	if err := chosen[0].run(ctx, a); err != nil && ctx.Err() == nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	told = true
	return answers.Encode(toll{Tries: a.toll.tries.Load(), Sent: a.toll.sent.Load(), Received: a.toll.received.Load()})
}

// force is the attack's process from outside.
type force struct {
	process *program.Process
	told    chan toll // what the process says, closed at its end
}

const (
	// readyLimit is how long an attack may take to get into place. One that the server keeps from it goes on anyway.
	readyLimit = 3 * time.Second
	// endLimit is how long its process may take to end.
	endLimit = 10 * time.Second
)

// startForce starts this program again as an attack and returns when that is in place.
func startForce(ctx context.Context, o order, stderr io.Writer) (*force, error) {
	child, err := program.Again(ctx, stderr, []string{"GOMAXPROCS=1"}, roleAttack)
	if err != nil {
		return nil, err
	}
	lowestPriority(child.Cmd.Process.Pid)
	f := &force{process: child, told: make(chan toll, 2)}
	go func() {
		defer close(f.told)
		for answers := json.NewDecoder(child.Out); ; {
			var t toll
			if answers.Decode(&t) != nil { // the end of the process tells more
				return
			}
			f.told <- t
		}
	}()
	if err := json.NewEncoder(child.In).Encode(o); err != nil {
		_, ended := f.end()
		return nil, errors.Join(err, ended)
	}
	timer := time.NewTimer(readyLimit)
	defer timer.Stop()
	select {
	case t, ok := <-f.told:
		if !ok || !t.Ready {
			_, ended := f.end()
			return nil, errors.Join(errors.New("the attack ended before it began"), ended)
		}
	case <-timer.C:
	}
	return f, nil
}

// end stops the attack and returns what it has done.
func (f *force) end() (last toll, err error) {
	err = f.process.In.Close()
	var killed atomic.Bool
	timer := time.AfterFunc(endLimit, func() {
		killed.Store(true)
		_ = f.process.Cmd.Process.Kill()
	})
	defer timer.Stop()
	for t := range f.told {
		last = t
	}
	ended := f.process.Cmd.Wait()
	if killed.Load() { // at the lowest priority it may not get to its end; its toll is only told, not judged
		ended = nil
	}
	return last, errors.Join(err, ended)
}
