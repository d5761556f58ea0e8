package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const (
	replicas = 3
	// answerLimit is within which time a replica that lives answers. An upload whose replica was killed holds changes of its user up
	// for ten seconds.
	answerLimit = time.Minute
)

// shared is the recording of one history on replicas that share a database and a bucket.
type shared struct {
	*session
	store    clustertest.Store
	rounds   int
	replicas [replicas]atomic.Pointer[replica] // nil while it does not run
	starting sync.WaitGroup
	away     atomic.Bool // the database or the S3 server is, or is about to be
	mu       sync.Mutex
	failed   error // of a replica that did not start again
}

// replica is one run of the program, with its clients.
type replica struct {
	*party
	end  func()      // kills it
	dead atomic.Bool // it is killed, or is about to be
}

// newStore makes a database, a bucket and a file of keys, and returns the environment of servers that keep their data there.
func newStore(ctx context.Context, servers *clustertest.Servers, dir string) (made clustertest.Store, environ []string, err error) {
	if made, err = servers.Make(ctx, true); err != nil {
		return made, nil, err
	}
	environ, err = testbed.ClusterSettings(dir, made.Database, servers.Endpoint, made.Bucket)
	return made, environ, err
}

// run goes through all faults, round by round.
func (s *shared) run(ctx context.Context, list []fault) error {
	defer s.killReplicas()
	if err := s.startReplicas(ctx); err != nil {
		return err
	}
	if err := s.replicas[0].Load().begin(ctx); err != nil {
		return err
	}
	for len(list) > 0 {
		n := 0
		for list[n].victim != everything {
			n++
		}
		if err := s.round(ctx, list[:n+1]); err != nil {
			return err
		}
		list = list[n+1:]
		for i := range s.replicas {
			s.replicas[i].Load().lookAround(ctx)
		}
	}
	return nil
}

// startReplicas starts all of them at once.
func (s *shared) startReplicas(ctx context.Context) error {
	for i := range s.replicas {
		s.starting.Go(func() { s.start(ctx, i) })
	}
	return s.started()
}

// started waits for the replicas that are starting.
func (s *shared) started() error {
	s.starting.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *shared) start(ctx context.Context, i int) {
	r, err := s.newReplica(ctx)
	if err == nil {
		s.replicas[i].Store(r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = errors.Join(s.failed, fmt.Errorf("replica %d: %w", i, err))
}

func (s *shared) newReplica(ctx context.Context) (*replica, error) {
	server, err := s.testbed.Start(ctx)
	if err != nil {
		if server != nil {
			err = fmt.Errorf("%w\n%s", err, server.Log())
		}
		return nil, err
	}
	address, remove := server.URL, func() {}
	if s.front != nil {
		if address, remove, err = s.front(address); err != nil {
			server.Kill()
			return nil, err
		}
	}
	r := new(replica)
	p := *s.party
	p.client, p.dying = client.New(client.Config{URL: address, Timeout: answerLimit}), r.dead.Load
	r.party = &p
	r.end = func() {
		r.dead.Store(true)
		server.Kill()
		p.client.Close()
		remove()
	}
	return r, nil
}

// kill kills a replica that runs.
func (s *shared) kill(i int) {
	if r := s.replicas[i].Swap(nil); r != nil {
		r.end()
	}
}

func (s *shared) killReplicas() {
	s.starting.Wait()
	for i := range s.replicas {
		s.kill(i)
	}
}

// any returns a replica that runs, in turn; nil when none does.
func (s *shared) any(turn int) *replica {
	for i := range replicas {
		if r := s.replicas[(turn+i)%replicas].Load(); r != nil {
			return r
		}
	}
	return nil
}
