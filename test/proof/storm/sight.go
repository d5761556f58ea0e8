package main

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// sight is what is listed of a user after the 200 of a delete, and what the database says of each object after that.
type sight struct {
	objects []object
	err     error
}

// object is one that is listed.
type object struct {
	listed
	record record
}

// record is what the database says of an object's generation. All of it is from one snapshot.
type record struct {
	Active   bool   // it is the user's picture
	Sequence uint64 // of the user
	State    int16  // of the work to be done, 0 = none
	Reason   int16  // of that work, or of the receipt
	Receipt  bool   // it was erased
}

// States of work.
const (
	underWay = 1
	toErase  = 3
	givenUp  = 4 // an upload that was given up and erased, whose request may arrive late
)

// reasonGivenUp is that of uploads that were given up. Other pictures are erased because of a change.
const reasonGivenUp = 3

// lookAt lists what there is of a user, and asks the database about it then: an upload is on record before its object is sent.
func (w *world) lookAt(ctx context.Context, p *person) (s sight) {
	found, err := w.look(ctx, p.folder)
	if err != nil {
		return sight{err: err}
	}
	w.figures.looks.Add(1)
	for _, v := range found {
		o := object{listed: v}
		if o.record, err = w.recordOf(ctx, p.ID, strings.TrimPrefix(v.name, p.folder)); err != nil {
			return sight{err: err}
		}
		s.objects = append(s.objects, o)
	}
	return s
}

const sqlRecord = `
SELECT coalesce(p.gen = $2, false), p.sequence, coalesce(w.state, 0), coalesce(w.reason, r.reason, 0), r.gen IS NOT NULL
  FROM person p LEFT JOIN work w ON w.gen = $2 LEFT JOIN receipt r ON r.gen = $2 WHERE p.id = $1`

// recordOf asks the database about a generation, again and again while that is down.
func (w *world) recordOf(ctx context.Context, user, generation string) (r record, err error) {
	gen, err := hex.DecodeString(generation)
	if err != nil {
		return r, nil // no generation, so nothing is on record
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	for {
		if r, err = w.recordOnce(ctx, user, gen); err == nil || ctx.Err() != nil {
			return r, err
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func (w *world) recordOnce(ctx context.Context, user string, gen []byte) (r record, err error) {
	conn, err := w.query(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	err = conn.QueryRow(ctx, sqlRecord, user, gen).Scan(&r.Active, &r.Sequence, &r.State, &r.Reason, &r.Receipt)
	return r, err
}

// later is what may have taken effect after a delete that is answered with 200.
type later struct {
	upload  string
	another bool // and a change that erased its picture
}

// Uploads that may take effect after a delete.
const (
	noUpload   = ""
	unanswered = "upload without an answer"
	beside     = "upload made at the same time"
)

// arrivedLate is an object of an upload before the delete.
const arrivedLate = "upload given up before, delivered after its sender had gone"

// judge sees that nothing is listed after a delete that was acknowledged.
//
// What is listed may be the object of an upload that may have taken effect after the delete, which was sent after the delete had begun; or that
// of an earlier one that was given up, which the network delivered after the delete had begun, when its sender was gone: no request that ends
// before can find it. Both the client's history and the database have to say so.
func (p *person) judge(o outcome, follows later) {
	if o.sight.err != nil {
		p.w.violations.add(p, unready, "what is listed cannot be looked at: %v", o.sight.err)
	}
	for _, v := range o.sight.objects {
		since := later{}
		if p.w.requests.sentSince(v.name, o.began) {
			since = follows
		}
		kind := v.excuse(since, p.w.requests.lateSince(v.name, o.began), o.answer.Sequence())
		if kind == "" {
			p.w.violations.add(p, remains, "%+v, whose PUT went %q", v, p.w.requests.storyOf(v.name))
			continue
		}
		p.w.figures.excuse(kind)
		p.w.tell(p, kind, v)
	}
}

// excuse returns why an object may be listed after a delete that was answered with a sequence, "" when it may not. follows is what may have
// taken effect after the delete, if the object was sent since; late tells that it was delivered after the delete had begun.
func (o object) excuse(follows later, late bool, sequence uint64) string {
	upload, r := follows.upload != noUpload, o.record
	switch {
	case o.marker:
		return ""
	case upload && r.Active && r.Sequence > sequence:
		return follows.upload + ": in place"
	case upload && r.State == underWay:
		return follows.upload + ": under way"
	case upload && r.Reason == reasonGivenUp:
		return follows.upload + ": given up"
	case upload && follows.another && (r.State == toErase || r.Receipt):
		return follows.upload + ": erased since"
	case late && r.State == givenUp:
		return arrivedLate
	}
	return ""
}
