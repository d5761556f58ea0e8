package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.org/avatard/test/client"
)

// examine looks at everything after the storm: everybody has what they may have, everybody's picture can be deleted, and when all that
// was left undone is done the bucket holds nothing but what tells whose it is.
func (w *world) examine(ctx context.Context, all []*person) error {
	var working sync.WaitGroup
	for _, p := range all {
		working.Go(func() { p.end(ctx) })
	}
	working.Wait()
	if err := w.finish(ctx); err != nil {
		return err
	}
	found, err := w.look(ctx, "")
	if err != nil {
		return err
	}
	for _, v := range found {
		// The canary of a start that was killed is nobody's picture; the next start erases it.
		if v.name != "avatard-installation" && v.name != "canary/erased-at-once" {
			w.violations.add(nil, remains, "after the storm, when everybody's picture is deleted: %+v", v)
		}
	}
	return nil
}

// end reads the user's picture and deletes it.
func (p *person) end(ctx context.Context) {
	r := p.w.any(p.turn)
	p.read(ctx, r)
	last := change{picture: none, by: r, how: "last delete", call: func(ctx context.Context) client.Answer {
		return r.client.Remove(ctx, client.REST, client.Bearer(p.w.testbed.Manager()), p.ID)
	}}
	for deadline := time.Now().Add(time.Minute); !p.settle(p.make(ctx, last)); {
		if time.Now().After(deadline) {
			p.w.violations.add(p, undone, "the picture cannot be deleted when all is well")
			return
		}
		pause(ctx, 100*time.Millisecond)
	}
	p.read(ctx, r)
}

const (
	// sqlAllDue makes everything due that is to be done later. Folders that are looked at again are so once: each has its last look.
	sqlAllDue = `
UPDATE work SET due = clock_timestamp() - interval '1 s', tries = CASE state WHEN 4 THEN 3 ELSE tries END
 WHERE due > clock_timestamp() AND (state = 4 AND due > clock_timestamp() + interval '11 s' OR tries = 0)`
	// finishLimit is how long nothing may become less of what is left.
	finishLimit = time.Minute
)

// finish makes everything due that is to be done later, until nothing is left.
func (w *world) finish(ctx context.Context) error {
	conn, err := w.query(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	least := -1
	for deadline := time.Now().Add(finishLimit); time.Now().Before(deadline) && ctx.Err() == nil; pause(ctx, 500*time.Millisecond) {
		if _, err := conn.Exec(ctx, sqlAllDue); err != nil {
			return fmt.Errorf("database: %w", err)
		}
		left := 0
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM work`).Scan(&left); err != nil {
			return fmt.Errorf("database: %w", err)
		}
		if left == 0 {
			return nil
		}
		if least < 0 || left < least {
			least, deadline = left, time.Now().Add(finishLimit)
		}
	}
	w.violations.add(nil, undone, "%d rows of work are left, and for %v they have not become fewer", least, finishLimit)
	return ctx.Err()
}
