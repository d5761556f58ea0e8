package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"example.org/avatard/test/proof/testbed"
)

// release is which program a replica runs.
type release int32

// The previous release is the program as it is. The next one knows one version more of the schema.
const (
	previous release = iota
	next
)

// upgrade is what a storm with an upgrade does to the replicas.
type upgrade struct {
	binary string // of the next release; "" = there is none
	wants  [replicas]atomic.Int32
	steps  atomic.Int32    // that were made
	schema int             // in the end
	calls  [2]atomic.Int64 // that were sent to a release
	kills  [2]atomic.Int64 // of its replicas
}

// upgradePatience is how many times as long as it has to a storm may last until the upgrade is done: it takes long to replace a
// replica when what it needs is killed meanwhile.
const upgradePatience = 4

// upgradeSteps are made at equal distances: all replicas become the next release, one goes back and comes again.
var upgradeSteps = []struct {
	replica int
	to      release
}{{0, next}, {1, next}, {2, next}, {1, previous}, {1, next}}

// readyLimit is how long a replica may take to notice that all is well: it looks for what was left undone from time to time.
const readyLimit = time.Minute

// stopLimit is how long a replica may take to end when it is asked to.
const stopLimit = 20 * time.Second

func (u *upgrade) wanted(i int) release { return release(u.wants[i].Load()) }

// startRelease starts a program.
func (w *world) startRelease(ctx context.Context, of release) (*testbed.Server, error) {
	if of == next {
		return w.testbed.StartProgram(ctx, w.upgrade.binary, "NEXT_SCHEMA=1")
	}
	return w.testbed.Start(ctx)
}

// upgradeAll replaces replicas while the storm lasts.
func (w *world) upgradeAll(ctx context.Context, lasts time.Duration) {
	distance := lasts / time.Duration(len(upgradeSteps)+1)
	for _, step := range upgradeSteps {
		pause(ctx, distance)
		if ctx.Err() != nil {
			return
		}
		if err := w.replace(ctx, step.replica, step.to); err != nil {
			if ctx.Err() == nil {
				w.violations.add(nil, unready, "replica %d does not become another release: %v", step.replica, err)
			}
			return
		}
		w.upgrade.steps.Add(1)
	}
	pause(ctx, distance)
}

// replace replaces a replica by one of a release, as operators do: it is asked to end, and the other one is started. Meanwhile it may
// be killed.
func (w *world) replace(ctx context.Context, i int, to release) error {
	w.upgrade.wants[i].Store(int32(to))
	for ctx.Err() == nil {
		r := w.replicas[i].Load()
		switch {
		case r != nil && r.of == to:
			return nil
		case r == nil || !w.replicas[i].CompareAndSwap(r, nil): // it was killed, and is being started
			pause(ctx, 20*time.Millisecond)
			continue
		}
		r.dead.Store(true)
		if err := r.server.Terminate(); err != nil {
			return err
		}
		limit := time.NewTimer(stopLimit)
		select {
		case <-r.server.Ended():
		case <-limit.C:
			w.violations.add(nil, unready, "replica %d has not ended after %v", i, stopLimit)
			r.server.Kill()
		}
		limit.Stop()
		r.client.Close()
		if err := w.start(context.WithoutCancel(ctx), i); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// examineReplicas sees that all replicas are ready after the storm, each the release that it has to be.
func (w *world) examineReplicas(ctx context.Context) error {
	for i := range w.replicas {
		r := w.replicas[i].Load()
		if r == nil {
			w.violations.add(nil, unready, "replica %d does not run after the storm", i)
			continue
		}
		err := r.server.Ready(ctx)
		for began := time.Now(); err != nil && time.Since(began) < readyLimit; err = r.server.Ready(ctx) {
			pause(ctx, 100*time.Millisecond)
		}
		if err != nil {
			w.violations.add(nil, unready, "replica %d after the storm: %v", i, err)
		}
		if want := w.upgrade.wanted(i); r.of != want {
			w.violations.add(nil, unready, "replica %d is of release %d, want %d", i, r.of, want)
		}
	}
	conn, err := w.query(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return conn.QueryRow(ctx, `SELECT version FROM schema_version`).Scan(&w.upgrade.schema)
}

// tell prints what the upgrade did. It is an error when it did not come to its end.
func (u *upgrade) tell(out io.Writer) error {
	if u.binary == "" {
		return nil
	}
	fmt.Fprintf(out, "upgrade: %d of %d replacements, schema version %d in the end; the previous release had %d calls and %d kills, the next one %d and %d\n",
		u.steps.Load(), len(upgradeSteps), u.schema, u.calls[previous].Load(), u.kills[previous].Load(), u.calls[next].Load(), u.kills[next].Load())
	if int(u.steps.Load()) < len(upgradeSteps) {
		return errors.New("the storm ended before the upgrade did")
	}
	return nil
}
