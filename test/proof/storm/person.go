package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"avatard/test/client"
	"avatard/test/proof/testbed"
)

const maxNotes = 60 // of each user, kept to explain a violation

// person is a user with one client, which makes one call after the other, each to the next replica.
type person struct {
	testbed.Person
	history
	w      *world
	random *rand.Rand
	folder string
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
	return &person{Person: who, w: w, random: rand.New(rand.NewPCG(seed, uint64(i))), folder: w.folders.of(who.ID), first: i * picturesOfEach, turn: i, usual: 20 * time.Millisecond}
}

// note keeps a line of what happened, for people.
func (p *person) note(format string, args ...any) {
	if len(p.notes) >= maxNotes {
		p.notes = append(p.notes[:0], p.notes[maxNotes/2:]...)
	}
	p.notes = append(p.notes, time.Now().Format("15:04:05.000000 ")+fmt.Sprintf(format, args...))
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
		n := p.random.IntN(10)
		if p.again && p.random.IntN(4) > 0 {
			n = p.last
		}
		p.last, p.again = n, false
		switch {
		case n < 3:
			p.upload(calling, r)
		case n < 6:
			p.remove(calling, r)
		default:
			p.read(calling, r)
		}
	}
}

// deadline asks for a short time now and then: the server answers at its end, whatever it is doing.
func (p *person) deadline(header http.Header, form client.Form) string {
	if p.random.IntN(4) > 0 {
		return ""
	}
	ms := 1 + p.random.IntN(40)
	if p.random.IntN(2) == 0 {
		ms = 40 + p.random.IntN(1500)
	}
	switch form {
	case client.ConnectJSON, client.ConnectProto, client.REST:
		header.Set("Connect-Timeout-Ms", fmt.Sprint(ms))
	default:
		header.Set("Grpc-Timeout", fmt.Sprintf("%dm", ms))
	}
	return fmt.Sprintf(", within %d ms", ms)
}

func (p *person) upload(ctx context.Context, r *replica) {
	picture := p.first + p.next
	p.next = (p.next + 1) % picturesOfEach
	data := p.w.pictures.All[picture].Upload
	if p.random.IntN(2) == 0 {
		header := client.Bearer(p.Token)
		how := "own upload" + p.deadline(header, client.REST)
		p.change(ctx, r, picture, how, func(ctx context.Context) client.Answer { return r.client.UploadOwn(ctx, header, data) })
		return
	}
	header := client.Bearer(p.w.testbed.Manager())
	how := "upload" + p.deadline(header, client.REST)
	p.change(ctx, r, picture, how, func(ctx context.Context) client.Answer { return r.client.Upload(ctx, header, p.ID, data) })
}

func (p *person) remove(ctx context.Context, r *replica) {
	form := client.Forms()[p.random.IntN(len(client.Forms()))]
	began := time.Now()
	own := p.random.IntN(2) == 0
	header := client.Bearer(p.w.testbed.Manager())
	how := "delete, "
	if own {
		header, how = client.Bearer(p.Token), "own delete, "
	}
	how += string(form) + p.deadline(header, form)
	done := p.change(ctx, r, none, how, func(ctx context.Context) client.Answer {
		if own {
			return r.client.RemoveOwn(ctx, form, header)
		}
		return r.client.Remove(ctx, form, header, p.ID)
	})
	if done {
		p.look(ctx, began)
	}
}

// look sees that nothing of the user is listed. While an upload without an answer may still come into effect, what is listed may be its
// picture. What arrived after the delete had begun, and after its sender had gone, is
// counted apart: no request that ends before it can find it.
func (p *person) look(ctx context.Context, began time.Time) {
	found, err := p.w.look(ctx, p.folder)
	if err != nil {
		p.w.violations.add(p, unready, "the bucket cannot be looked at: %v", err)
		return
	}
	p.w.figures.looks.Add(1)
	for _, v := range found {
		if !v.marker && (len(p.may) > 1 || p.w.requests.lateSince(v.name, began)) {
			p.w.figures.arrivedLate.Add(1)
			continue
		}
		p.w.violations.add(p, remains, "%+v, whose PUT went %q", v, p.w.requests.storyOf(v.name))
	}
}

// change makes a call that changes something, and notes what it may have done. It reports whether it was acknowledged.
func (p *person) change(ctx context.Context, r *replica, picture int, how string, call func(context.Context) client.Answer) bool {
	if patience, ok := p.patience(picture); ok { // the caller leaves
		var leave context.CancelFunc
		ctx, leave = context.WithTimeout(ctx, patience)
		defer leave()
		how += ", leaves after " + patience.String()
	}
	began := time.Now()
	a := call(ctx)
	now := time.Now()
	p.note("%s, picture %d, after %v by %d: %v", how, picture, now.Sub(began).Round(time.Millisecond), r.server.PID(), a)
	p.again = !a.Acknowledged()
	switch {
	case a.Acknowledged():
		p.acknowledged(picture, began)
		if picture == none {
			p.usual = now.Sub(began)
		}
		p.w.figures.changes.Add(1)
		if a.Details != nil && !p.told(a.Sequence()) {
			p.w.violations.add(p, sequence, "%s is answered with sequence %d, after %d", how, a.Sequence(), p.sequence)
		}
		p.w.figures.took(now.Sub(began))
		return true
	case errors.Is(a.Err, syscall.ECONNREFUSED): // it was not sent
	case a.Err != nil:
		p.unanswered(picture, now)
		p.w.figures.unanswered.Add(1)
		if ctx.Err() == nil && !r.dead.Load() {
			p.w.violations.add(p, answer, "%s is not answered by a replica that runs: %v", how, a.Err)
		}
	case slices.Contains([]connect.Code{connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled}, a.Code):
		p.failed(picture)
		p.w.figures.busy.Add(1)
		p.w.figures.took(now.Sub(began))
		if a.Code == connect.CodeUnavailable && a.Header.Get("Retry-After") == "" {
			p.w.violations.add(p, answer, "%s: %v, without Retry-After", how, a)
		}
	default:
		p.failed(picture)
		p.w.violations.add(p, answer, "%s: %v", how, a)
	}
	return false
}

// patience is after how long the caller of a change leaves, and whether they do. Those of deletes often leave while the database is
// at it, and come back by way of another replica.
func (p *person) patience(picture int) (d time.Duration, ok bool) {
	switch n := p.random.IntN(48); {
	case n == 0:
		return time.Duration(p.random.IntN(100)) * time.Millisecond, true
	case n < 8 && picture == none:
		return time.Duration(p.random.Int64N(int64(p.usual))), true
	}
	return 0, false
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
	p.note("%s after %v by %d: picture %d %s", how, time.Since(began).Round(time.Millisecond), r.server.PID(), seen, read.Generation())
	if !p.allows(seen) {
		p.w.violations.add(p, wrong, "%s sees picture %d, possible are %v (-1: none)", how, seen, p.may)
	}
}
