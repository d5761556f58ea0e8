package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"avatard/proof/site"
)

// world is where histories are recorded.
type world struct {
	binary string
	dir    string
	bank   *site.Bank
	calls  int         // of a history, at least
	kills  int         // of a history
	forms  []site.Form // of deletes
	// front, when it is not nil, stands between the clients and the server: it returns the address to call.
	front func(url string) (address string, remove func(), err error)
	// afterKill, when it is not nil, is called when the server is dead, with its data directory and the number of kills.
	afterKill func(data string, kills int) error
}

// recorded is a history and what else is to be told of it.
type recorded struct {
	seed       uint64
	operations []porcupine.Operation
	kills      int
	open       int
	mostOpen   int // of one user
	dropped    int // reads without an answer, which are not in it
	wrong      []string
}

// record lets clients call a server of their own until the history is long enough, killing it again and again. The seed
// decides what the clients do and when the server is killed.
func (w world) record(ctx context.Context, seed uint64) (h recorded, err error) {
	h.seed = seed
	dir := filepath.Join(w.dir, fmt.Sprintf("site-%d", seed))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return h, err
	}
	s, err := site.New(site.Config{Binary: w.binary, Dir: dir, People: people})
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	srv, err := start(ctx, s)
	if err != nil {
		return h, err
	}
	defer func() {
		if srv != nil {
			srv.Kill()
		}
	}()
	r := newRecorder()
	p := &party{manager: s.Manager(), bank: w.bank, recorder: r}
	for _, one := range s.People() {
		p.people = append(p.people, &person{Person: one})
	}
	plans := make([]*plan, clients)
	for i := range plans {
		plans[i] = newPlan(seed, i, len(w.bank.Pictures), w.forms)
	}
	for i, c := range crashes(seed, w.calls, w.kills) {
		if err := w.killUnderLoad(ctx, p, srv, plans, c, i == 0); err != nil {
			return h, fmt.Errorf("history %d: %w\n%s", seed, err, srv.Log())
		}
		h.kills++
		if c.again > 0 {
			if srv, err = s.Launch(ctx); err != nil {
				return h, err
			}
			pause(ctx, c.again)
			srv.Kill()
			h.kills++
		}
		if w.afterKill != nil {
			if err := w.afterKill(s.Data(), i+1); err != nil {
				return h, err
			}
		}
		if srv, err = start(ctx, s); err != nil {
			return h, fmt.Errorf("history %d, after %d kills: %w", seed, h.kills, err)
		}
		r.restarted()
		if err := w.serve(p, srv, func() { p.lookAround(ctx) }); err != nil {
			return h, err
		}
	}
	h.operations, h.open, h.mostOpen, h.dropped, h.wrong = r.history(), r.opened, r.mostOpen(), r.dropped, r.wrong
	return h, srv.Stop()
}

// start starts a server; the error has its log.
func start(ctx context.Context, s *site.Site) (*site.Server, error) {
	srv, err := s.Start(ctx)
	if err != nil && srv != nil {
		return srv, fmt.Errorf("%w\n%s", err, srv.Log())
	}
	return srv, err
}

// serve lets the party do something with a server.
func (w world) serve(p *party, srv *site.Server, do func()) error {
	address := srv.URL
	if w.front != nil {
		front, remove, err := w.front(srv.URL)
		if err != nil {
			return err
		}
		defer remove()
		address = front
	}
	p.client = site.NewClient(address)
	defer p.client.Close()
	p.dying = func() bool { return false }
	do()
	return nil
}

// killUnderLoad lets the clients follow their plans until the server is dead. Everybody begins with a picture.
func (w world) killUnderLoad(ctx context.Context, p *party, srv *site.Server, plans []*plan, c crash, first bool) error {
	var failed error
	err := w.serve(p, srv, func() {
		if first && !p.begin(ctx) {
			failed = errors.New("a first upload was not answered")
			return
		}
		var killing atomic.Bool
		p.dying = killing.Load
		enough := make(chan struct{})
		goal := p.recorder.length() + c.calls
		var once sync.Once
		var working sync.WaitGroup
		for i, plan := range plans {
			working.Go(func() {
				for !killing.Load() && ctx.Err() == nil {
					p.do(ctx, i, plan.next())
					if p.recorder.length() >= goal {
						once.Do(func() { close(enough) })
					}
				}
			})
		}
		limit := time.NewTimer(phaseLimit)
		defer limit.Stop()
		select {
		case <-enough:
			pause(ctx, c.delay)
		case <-srv.Ended():
			failed = errors.New("the server ended by itself")
		case <-limit.C:
			failed = fmt.Errorf("less than %d calls in %v", c.calls, phaseLimit)
		case <-ctx.Done():
			failed = ctx.Err()
		}
		killing.Store(true)
		srv.Kill()
		working.Wait()
	})
	return errors.Join(err, failed)
}

// phaseLimit is how long the calls before a kill may take.
const phaseLimit = 2 * time.Minute

// begin uploads everybody's first picture, which registers them.
func (p *party) begin(ctx context.Context) bool {
	for i := range p.people {
		if !p.do(ctx, i%clients, step{kind: upload, person: i, picture: i, own: true}) {
			return false
		}
	}
	return true
}

// lookAround reads everybody's picture, as the public, as the user, and with the newest tag.
func (p *party) lookAround(ctx context.Context) {
	for i := range p.people {
		p.read(ctx, 0, step{person: i, tag: none})
		p.read(ctx, 1, step{person: i, tag: 0, own: true})
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
