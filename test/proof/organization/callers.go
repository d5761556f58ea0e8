package main

import (
	"bytes"
	"context"
	"net/http"
	"sync/atomic"

	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// meter counts calls of the other organisation's callers that had their answer.
type meter struct{ answered, changes, unanswered atomic.Int64 }

// caller is a user of the other organisation: uploads, reads, deletes and reads again, until the context ends. A call that
// the server's end leaves without an answer begins the next turn.
type caller struct {
	*proof
	testbed.Person
	picture, stored []byte
	turns           int
}

func (p *proof) newCaller(ctx context.Context, number int) (*caller, error) {
	c := &caller{proof: p, Person: p.testbed.People()[number], picture: picture.Sample(p.o.seed<<32+uint64(number), 2000)}
	stored, err := picture.New(picture.Config{}).Normalize(ctx, c.picture)
	c.stored = stored.Data
	return c, err
}

func (c *caller) run(ctx context.Context) {
	for ctx.Err() == nil {
		calls := c.server.Client()
		if calls == nil {
			testbed.Pause(ctx, lookEvery)
			continue
		}
		c.turns++
		c.turn(ctx, calls)
	}
}

// turn is one upload and one delete, each with a read behind it.
func (c *caller) turn(ctx context.Context, calls *client.Client) {
	form := client.Forms()[c.turns%len(client.Forms())]
	_ = c.change(ctx, "upload", func(ctx context.Context) client.Answer {
		return calls.UploadOwn(ctx, client.Bearer(c.Token), c.picture)
	}) &&
		c.read(ctx, calls, true) &&
		c.change(ctx, "delete", func(ctx context.Context) client.Answer { return calls.RemoveOwn(ctx, form, client.Bearer(c.Token)) }) &&
		c.read(ctx, calls, false)
}

func (c *caller) change(ctx context.Context, what string, call func(context.Context) client.Answer) bool {
	// The call has its answer although the callers stop meanwhile.
	a := call(context.WithoutCancel(ctx))
	switch {
	case a.Acknowledged():
		c.meter.answered.Add(1)
		c.meter.changes.Add(1)
		return true
	case a.Err != nil:
		c.meter.unanswered.Add(1)
	default:
		c.wrong.add("the %s of %s: %v", what, c.ID, a)
	}
	return false
}

func (c *caller) read(ctx context.Context, calls *client.Client, there bool) bool {
	r := calls.Read(context.WithoutCancel(ctx), testbed.Organization, c.ID, "")
	switch {
	case r.Err != nil:
		c.meter.unanswered.Add(1)
		return false
	case there && (r.Status != http.StatusOK || !bytes.Equal(r.Data, c.stored)):
		c.wrong.add("a read of %s behind an upload: %d, %d bytes", c.ID, r.Status, len(r.Data))
	case !there && r.Status != http.StatusNotFound:
		c.wrong.add("a read of %s behind a delete: %d", c.ID, r.Status)
	}
	c.meter.answered.Add(1)
	return true
}
