package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/anishathalye/porcupine"

	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// world is where histories are recorded.
type world struct {
	binary   string
	dir      string
	pictures *testbed.PictureSet
	resized  map[int]testbed.Resized // by size
	calls    int                     // of a history, at least
	kills    int                     // of a history
	forms    []client.Form           // of deletes
	// servers, when they are not nil, are what replicas keep their data in, in place of one server with a directory.
	servers *clustertest.Servers
	environ []string // of replicas, beside what tells where the data is
	// front, when it is not nil, stands between the clients and the server: it returns the address to call.
	front func(url string) (address string, remove func(), err error)
	// afterKill, when it is not nil, is called when the server is dead, with its data directory and the number of kills; for
	// replicas when all are, with the name of the database and the number of rounds.
	afterKill func(data string, kills int) error
}

// recorded is a history and what else is to be told of it.
type recorded struct {
	seed       uint64
	operations []porcupine.Operation
	kills      tally
	open       int
	mostOpen   int // of one user
	dropped    int // reads without an answer, which are not in it
	wrong      []string
}

// tally counts kills.
type tally struct {
	Outside    int            `json:"kills_from_outside"`
	Failpoints map[string]int `json:"kills_at_failpoints"`
	Starting   int            `json:"kills_while_starting"`
	// Database and Gateway are those of PostgreSQL and of the S3 server.
	Database int `json:"kills_of_the_database,omitempty"`
	Gateway  int `json:"kills_of_the_s3_server,omitempty"`
}

func (t tally) total() (n int) {
	for _, at := range t.Failpoints {
		n += at
	}
	return n + t.Outside + t.Starting + t.Database + t.Gateway
}

// session is the recording of one history.
type session struct {
	world
	testbed  *testbed.Testbed
	server   *testbed.Server
	armed    string // failpoint at which the server will end, "" for none
	party    *party
	plans    []*plan
	recorder *recorder
	kills    tally
}

// record lets clients call a server of their own until the history is long enough, killing it again and again. The seed
// decides what the clients do and when the server is killed.
func (w world) record(ctx context.Context, seed uint64) (h recorded, err error) {
	dir := filepath.Join(w.dir, fmt.Sprintf("testbed-%d", seed))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return h, err
	}
	s := &session{world: w, recorder: newRecorder(), kills: tally{Failpoints: make(map[string]int)}}
	config := testbed.Config{Binary: w.binary, Dir: dir, People: people, Shared: w.servers != nil}
	var store clustertest.Store
	if config.Shared {
		if store, config.Environ, err = newStore(ctx, w.servers, dir); err != nil {
			return h, err
		}
		config.Environ = append(config.Environ, w.environ...)
	}
	if s.testbed, err = testbed.New(config); err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, s.testbed.Close()) }()
	s.party = &party{manager: s.testbed.Manager(), pictures: w.pictures, resized: w.resized, recorder: s.recorder,
		readmit: readmitter(s.testbed, config.Shared)}
	for _, one := range s.testbed.People() {
		s.party.people = append(s.party.people, &person{Person: one})
	}
	for i := range clients {
		s.plans = append(s.plans, newPlan(seed, i, len(w.pictures.All), w.forms))
	}
	if config.Shared {
		err = (&shared{session: s, store: store}).run(ctx, faults(seed, w.calls, w.kills))
	} else {
		err = s.run(ctx, crashes(seed, w.calls, w.kills))
	}
	if s.server != nil {
		s.server.Kill()
	}
	r := s.recorder
	h = recorded{seed, r.history(), s.kills, r.opened, r.mostOpen(), r.dropped, r.wrong}
	if err != nil {
		err = fmt.Errorf("history %d, after %d kills: %w", seed, s.kills.total(), err)
	}
	return h, err
}

// run goes through all crashes.
func (s *session) run(ctx context.Context, list []crash) error {
	if err := s.start(ctx, ""); err != nil {
		return err
	}
	if err := s.serve(func() error { return s.party.begin(ctx) }); err != nil {
		return err
	}
	for i, c := range list {
		if err := s.serve(func() error { return s.killUnderLoad(ctx, c) }); err != nil {
			return err
		}
		if err := s.killRecovery(ctx, c); err != nil {
			return err
		}
		if s.afterKill != nil {
			if err := s.afterKill(s.testbed.Data(), i+1); err != nil {
				return err
			}
		}
		next := ""
		if i+1 < len(list) && list[i+1].failpoint != "" {
			next = fmt.Sprintf("%s:%d", list[i+1].failpoint, list[i+1].pass)
		}
		if err := s.start(ctx, next); err != nil {
			return err
		}
		s.recorder.restarted()
		if err := s.serve(func() error { s.party.lookAround(ctx); return nil }); err != nil {
			return err
		}
	}
	return s.server.Stop()
}

// start starts the server, with a failpoint to come.
func (s *session) start(ctx context.Context, failpoint string) (err error) {
	s.armed, _, _ = strings.Cut(failpoint, ":")
	s.server, err = s.testbed.Start(ctx, "FAILPOINT="+failpoint)
	if s.armed != "" && errors.Is(err, testbed.ErrEnded) && s.server.Killed() { // the recovery passed it
		s.kills.Failpoints[s.armed]++
		return s.start(ctx, "")
	}
	if err != nil && s.server != nil {
		return fmt.Errorf("start: %w\n%s", err, s.server.Log())
	}
	return err
}

// killRecovery ends the start after a kill, where the crash says so.
func (s *session) killRecovery(ctx context.Context, c crash) (err error) {
	switch {
	case c.recovery != "":
		s.server, err = s.testbed.Start(ctx, "FAILPOINT="+c.recovery+":1")
		if errors.Is(err, testbed.ErrEnded) && s.server.Killed() {
			s.kills.Failpoints[c.recovery]++
			return nil
		}
		if err != nil { // else nothing was left undone
			return err
		}
	case c.again > 0:
		if s.server, err = s.testbed.Launch(ctx); err != nil {
			return err
		}
		pause(ctx, c.again)
	default:
		return nil
	}
	s.server.Kill()
	s.kills.Starting++
	return nil
}
