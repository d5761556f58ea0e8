package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const maxNotes = 60 // of each user, kept to explain a violation

// person is a user. One client makes one call after the other, each to the next replica; where there are two, see pair.go.
type person struct {
	testbed.Person
	history
	w      *world
	random *rand.Rand
	folder string
	pair   bool          // there are two clients
	hurry  bool          // each call has a deadline, and a short one
	first  int           // of the user's pictures
	next   int           // which one is uploaded next
	turn   int           // which replica is called next
	again  bool          // the last change was not acknowledged, and is likely to be tried again
	last   int           // what it was: one of those that run chooses from
	usual  time.Duration // how long the last delete took that was acknowledged
	notes  []string
}

func (w *world) newPerson(i int, seed uint64) *person {
	who := w.testbed.People()[i]
	return &person{Person: who, w: w, random: rand.New(rand.NewPCG(seed, uint64(i))), folder: w.folders.of(who.ID), pair: i >= singles,
		first: i * picturesOfEach, turn: i, usual: 20 * time.Millisecond}
}

// note keeps a line of what happened at a moment, for people.
func (p *person) note(at time.Time, format string, args ...any) {
	if len(p.notes) >= maxNotes {
		p.notes = append(p.notes[:0], p.notes[maxNotes/2:]...)
	}
	p.notes = append(p.notes, at.Format("15:04:05.000000 ")+fmt.Sprintf(format, args...))
}

// run makes calls until ctx ends. A call that has begun has its answer before that.
func (p *person) run(ctx context.Context) {
	for ctx.Err() == nil {
		p.turn++
		r := p.w.any(p.turn)
		if r == nil {
			pause(ctx, 5*time.Millisecond)
			continue
		}
		calling := context.WithoutCancel(ctx)
		if p.pair {
			p.round(calling, r)
			continue
		}
		n := p.random.IntN(10)
		if p.again && p.random.IntN(4) > 0 {
			n = p.last
		}
		p.last, p.again = n, false
		switch {
		case n < 3:
			p.settle(p.make(calling, p.upload(r)))
		case n < 6:
			p.settle(p.make(calling, p.remove(r)))
		default:
			p.read(calling, r)
		}
	}
}

func (p *person) read(ctx context.Context, r *replica) {
	how := "public read"
	began := time.Now()
	var read client.Read
	if p.random.IntN(2) == 0 {
		how = "own read"
		read = r.client.ReadOwn(ctx, client.Bearer(p.Token), "")
	} else {
		read = r.client.Read(ctx, testbed.Organization, p.ID, "")
	}
	seen := none
	switch {
	case read.Err != nil:
		if !errors.Is(read.Err, syscall.ECONNREFUSED) && !r.dead.Load() {
			p.w.violations.add(p, answer, "%s is not answered by a replica that runs: %v", how, read.Err)
		}
		return
	case read.Status == http.StatusServiceUnavailable || read.Status == http.StatusGatewayTimeout:
		p.w.figures.busyReads.Add(1)
		p.w.figures.took(time.Since(began))
		return
	case read.Status == http.StatusNotFound:
	case read.Status == http.StatusOK:
		number, ok := p.w.pictures.Number(read.Data)
		if !ok {
			p.w.violations.add(p, damaged, "%s: %d bytes that are no picture ever uploaded", how, len(read.Data))
			return
		}
		seen = number
	default:
		p.w.violations.add(p, answer, "%s: status %d", how, read.Status)
		return
	}
	p.w.figures.reads.Add(1)
	p.note(time.Now(), "%s after %v by %d: picture %d %s", how, time.Since(began).Round(time.Millisecond), r.server.PID(), seen, read.Generation())
	if !p.allows(seen) {
		p.w.violations.add(p, wrong, "%s sees picture %d, possible are %v (-1: none)", how, seen, p.may)
	}
}
