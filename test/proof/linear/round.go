package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.org/avatard/storage/cluster/clustertest"
)

// longer stretches the patience of a plan: a change of a cluster takes some tens of milliseconds.
const longer = 20

// round lets the clients follow their plans through some faults. The last one kills everything: what was under way then, nobody goes on
// with, so changes without an answer end when the replicas serve again.
func (s *shared) round(ctx context.Context, list []fault) (err error) {
	working, leave := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i, plan := range s.plans {
		all.Go(func() {
			for turn := i; working.Err() == nil; turn++ {
				s.step(ctx, i, turn, plan.next())
			}
		})
	}
	defer func() {
		leave()
		if err != nil {
			s.killReplicas()
		}
		all.Wait()
		if err == nil {
			err = s.again(ctx)
		}
	}()
	for _, f := range list {
		if err := errors.Join(s.reach(ctx, f.calls), s.started()); err != nil {
			return err
		}
		pause(ctx, f.delay)
		if f.victim == everything {
			leave()
		}
		if err := s.strike(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// reach returns when the history has that many calls.
func (s *shared) reach(ctx context.Context, calls int) error {
	for began := time.Now(); s.recorder.length() < calls; pause(ctx, time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(began) > loadLimit {
			return fmt.Errorf("%d of %d calls in %v", s.recorder.length(), calls, loadLimit)
		}
	}
	return nil
}

// strike kills what a fault says, and starts it again unless that is everything.
func (s *shared) strike(ctx context.Context, f fault) error {
	switch f.victim {
	case oneReplica:
		s.kills.Outside++
		s.kill(f.which)
		s.starting.Go(func() { s.start(ctx, f.which) })
	case theDatabase:
		s.kills.Database++
		return s.bounce(ctx, s.servers.Database, f.down)
	case theGateway:
		s.kills.Gateway++
		return s.bounce(ctx, s.servers.Gateway, f.down)
	case everything:
		s.kills.Outside += replicas
		s.kills.Database++
		s.kills.Gateway++
		var dying sync.WaitGroup
		for i := range s.replicas {
			dying.Go(func() { s.kill(i) })
		}
		dying.Go(s.servers.Database.Kill)
		dying.Go(s.servers.Gateway.Kill)
		dying.Wait()
	}
	return nil
}

// bounce kills a server and starts it again. Clients only read meanwhile: each change would be left without an answer.
func (s *shared) bounce(ctx context.Context, server *clustertest.Process, down time.Duration) error {
	s.away.Store(true)
	defer s.away.Store(false)
	server.Kill()
	pause(ctx, down)
	return server.Start()
}

// again starts everything that was killed.
func (s *shared) again(ctx context.Context) error {
	if err := errors.Join(s.servers.Database.Start(), s.servers.Gateway.Start()); err != nil {
		return err
	}
	if s.rounds++; s.afterKill != nil {
		if err := s.afterKill(s.store.Name, s.rounds); err != nil {
			return err
		}
	}
	if err := s.startReplicas(ctx); err != nil {
		return err
	}
	s.recorder.restarted()
	return nil
}

// step makes one call, at the replica whose turn it is.
func (s *shared) step(ctx context.Context, client, turn int, call step) {
	r := s.any(turn)
	if r == nil {
		pause(ctx, time.Millisecond)
		return
	}
	if s.away.Load() {
		call.kind, call.patience = read, 0
	}
	call.patience *= longer
	// A readmission asks no replica but the database, which may have been killed meanwhile.
	if !r.do(ctx, client, call) && call.kind != readmit && call.patience == 0 && !r.dead.Load() {
		s.recorder.complain("%s, %s: no answer from a replica that lives", call.kind, how(call))
	}
}
