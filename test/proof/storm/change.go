package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/test/client"
)

// change is a call that changes a user's picture.
type change struct {
	picture  int // that the user has when it is done
	how      string
	by       *replica
	patience time.Duration // after which its caller leaves, 0 = never
	call     func(ctx context.Context) client.Answer
}

// outcome is what its caller learns of a change.
type outcome struct {
	change
	answer       client.Answer
	began, ended time.Time
	left         bool // its caller has left
	sight        sight
}

// notSent reports whether the change did not reach any server.
func (o outcome) notSent() bool { return errors.Is(o.answer.Err, syscall.ECONNREFUSED) }

// upload makes up an upload of the user's next picture.
func (p *person) upload(by *replica) change {
	picture := p.first + p.next
	p.next = (p.next + 1) % picturesOfEach
	data := p.w.pictures.All[picture].Upload
	c := change{picture: picture, by: by}
	if p.random.IntN(2) == 0 {
		header := client.Bearer(p.Token)
		c.how = "own upload" + p.deadline(header, client.REST)
		c.call = func(ctx context.Context) client.Answer { return by.client.UploadOwn(ctx, header, data) }
	} else {
		header := client.Bearer(p.w.testbed.Manager())
		c.how = "upload" + p.deadline(header, client.REST)
		c.call = func(ctx context.Context) client.Answer { return by.client.Upload(ctx, header, p.ID, data) }
	}
	return p.impatient(c)
}

// remove makes up a delete in some wire form.
func (p *person) remove(by *replica) change {
	form := client.Forms()[p.random.IntN(len(client.Forms()))]
	c := change{picture: none, by: by}
	if p.random.IntN(2) == 0 {
		header := client.Bearer(p.Token)
		c.how = "own delete, " + string(form) + p.deadline(header, form)
		c.call = func(ctx context.Context) client.Answer { return by.client.RemoveOwn(ctx, form, header) }
	} else {
		header := client.Bearer(p.w.testbed.Manager())
		c.how = "delete, " + string(form) + p.deadline(header, form)
		c.call = func(ctx context.Context) client.Answer { return by.client.Remove(ctx, form, header, p.ID) }
	}
	return p.impatient(c)
}

// deadline asks for a short time now and then: the server answers at its end, whatever it is doing.
func (p *person) deadline(header http.Header, form client.Form) string {
	ms := 1 + p.random.IntN(40)
	switch n := p.random.IntN(8); {
	case p.hurry:
		ms += 60
	case n > 1:
		return ""
	case n > 0:
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

// impatient lets the caller of some changes leave. Those of deletes often leave while the database is at it, and come back by way of
// another replica.
func (p *person) impatient(c change) change {
	switch n := p.random.IntN(48); {
	case n == 0:
		c.patience = time.Millisecond + time.Duration(p.random.IntN(100))*time.Millisecond
	case n < 8 && c.picture == none:
		c.patience = 1 + time.Duration(p.random.Int64N(int64(p.usual)))
	default:
		return c
	}
	c.how += ", leaves after " + c.patience.String()
	return c
}

// make makes a change, and looks into the bucket when it is a delete that is answered with 200. Several of one user may be made at once.
func (p *person) make(ctx context.Context, c change) outcome {
	calling := ctx
	if c.patience > 0 {
		var leave context.CancelFunc
		calling, leave = context.WithTimeout(ctx, c.patience)
		defer leave()
	}
	o := outcome{change: c, began: time.Now()}
	o.answer = c.call(calling)
	o.ended, o.left = time.Now(), calling.Err() != nil
	if c.picture == none && o.answer.Acknowledged() {
		o.sight = p.w.lookAt(ctx, p)
	}
	return o
}

// settle notes what became of changes that were made at once, and judges it. It reports whether one of them was acknowledged.
func (p *person) settle(all ...outcome) (acknowledged bool) {
	began, sequence := all[0].began, p.sequence
	for _, o := range all {
		if o.began.Before(began) {
			began = o.began
		}
		p.note(o.ended, "%s, picture %d, after %v by %d: %v", o.how, o.picture, o.ended.Sub(o.began).Round(time.Millisecond), o.by.server.PID(), o.answer)
	}
	for _, o := range all {
		if o.answer.Acknowledged() {
			if acknowledged {
				p.possible(o.picture)
			} else {
				p.acknowledged(o.picture, began)
			}
			acknowledged = true
			p.succeeded(o, sequence)
		}
	}
	follows := later{another: len(all)-1+len(p.late) > 1}
	switch {
	case slices.ContainsFunc(all, func(o outcome) bool { return o.picture != none && !o.notSent() }): // beside a delete, that is
		follows.upload = beside
	case p.uploadMayFollow():
		follows.upload = unanswered
	}
	for _, o := range all {
		p.judge(o, follows)
	}
	for _, o := range all {
		if !o.answer.Acknowledged() {
			p.failure(o)
		}
	}
	p.again = !acknowledged
	return acknowledged
}

// succeeded notes a change that was acknowledged, where the sequence was known before it.
func (p *person) succeeded(o outcome, before uint64) {
	took := o.ended.Sub(o.began)
	if o.picture == none {
		p.usual = took
	}
	p.w.figures.changes.Add(1)
	p.w.figures.took(took)
	if o.answer.Details == nil {
		return
	}
	if o.answer.Sequence() < before {
		p.w.violations.add(p, sequence, "%s is answered with sequence %d, after %d", o.how, o.answer.Sequence(), before)
	}
	p.told(o.answer.Sequence())
}

// failure notes a change that was not acknowledged, and what it may have done.
func (p *person) failure(o outcome) {
	a := o.answer
	switch {
	case o.notSent():
	case a.Err != nil:
		limit := lateLimit
		if o.left && o.picture != none && !o.by.dead.Load() {
			limit = lateUploadLimit
		}
		p.unanswered(o.picture, o.ended, limit)
		p.w.figures.unanswered.Add(1)
		if !o.left && !o.by.dead.Load() {
			p.w.violations.add(p, answer, "%s is not answered by a replica that runs: %v", o.how, a.Err)
		}
	case slices.Contains([]connect.Code{connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled}, a.Code):
		p.possible(o.picture)
		p.w.figures.busy.Add(1)
		p.w.figures.took(o.ended.Sub(o.began))
		if a.Code == connect.CodeUnavailable && a.Header.Get("Retry-After") == "" {
			p.w.violations.add(p, answer, "%s: %v, without Retry-After", o.how, a)
		}
	default:
		p.possible(o.picture)
		p.w.violations.add(p, answer, "%s: %v", o.how, a)
	}
}
