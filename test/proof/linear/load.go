package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/test/proof/testbed"
)

const (
	// loadLimit is how long the calls before a kill may take.
	loadLimit = 2 * time.Minute
	// deathLimit is after how long a server must be dead that broke a connection.
	deathLimit = 10 * time.Second
)

// serve lets the party do something with the server.
func (s *session) serve(do func() error) error {
	address := s.server.URL
	if s.front != nil {
		front, remove, err := s.front(address)
		if err != nil {
			return err
		}
		defer remove()
		address = front
	}
	s.party.client = testbed.NewClient(address)
	defer s.party.client.Close()
	s.party.dying = func() bool { return false }
	return do()
}

// killUnderLoad lets the clients follow their plans until the server is dead.
func (s *session) killUnderLoad(ctx context.Context, c crash) (err error) {
	var killing atomic.Bool
	s.party.dying = func() bool { return s.armed != "" || killing.Load() }
	enough, over := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var working sync.WaitGroup
	for i, plan := range s.plans {
		working.Go(func() {
			for !killing.Load() && ctx.Err() == nil && s.step(ctx, i, plan.next(), over) {
				if s.recorder.length() >= c.calls {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	limit := time.NewTimer(loadLimit)
	defer limit.Stop()
	select {
	case <-enough:
		pause(ctx, c.delay)
		s.kills.Outside++
	case <-s.server.Ended():
		if s.armed == "" || !s.server.Killed() {
			err = fmt.Errorf("the server ended by itself\n%s", s.server.Log())
		}
		s.kills.Failpoints[s.armed]++
	case <-limit.C:
		err = fmt.Errorf("%d of %d calls in %v\n%s", s.recorder.length(), c.calls, loadLimit, s.server.Log())
	case <-ctx.Done():
		err = ctx.Err()
	}
	killing.Store(true)
	close(over)
	s.server.Kill()
	working.Wait()
	return err
}

// step makes one call. It reports false when the server does not answer any more.
func (s *session) step(ctx context.Context, client int, call step, over <-chan struct{}) bool {
	if call.kind == remove && strings.HasPrefix(s.armed, endOfUser) { // to come there before the other kill
		call.kind, call.own = erase, false
	}
	if s.party.do(ctx, client, call) || call.patience > 0 {
		return true
	}
	limit := time.NewTimer(deathLimit)
	defer limit.Stop()
	select {
	case <-s.server.Ended():
	case <-over:
	case <-limit.C:
		s.recorder.complain("%s, %s: no answer from a server that lives", call.kind, how(call))
	}
	return false
}

// begin uploads everybody's first picture, which registers them.
func (p *party) begin(ctx context.Context) error {
	for i := range p.people {
		if !p.do(ctx, i%clients, step{kind: upload, person: i, picture: i, own: true}) {
			return errors.New("a first upload was not answered")
		}
	}
	return nil
}

// lookAround reads everybody's picture, as the public, as the user, with the newest tag, and in each size.
func (p *party) lookAround(ctx context.Context) {
	for i := range p.people {
		p.read(ctx, 0, step{person: i, tag: none})
		p.read(ctx, 1, step{person: i, tag: 0, own: true})
		for _, size := range sizes {
			p.read(ctx, 0, step{person: i, tag: none, size: size})
		}
	}
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
