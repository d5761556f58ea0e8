// Command storm proves that 200 means gone when several replicas share a database and a bucket and everything fails around them. Three
// replicas of the real program serve 24 users, each with one client that makes one call after the other over all wire forms, and 8 with two
// clients who call two replicas at the same moment. Meanwhile replicas, PostgreSQL and the S3 server are killed, and the network in front of
// both holds what is sent, cuts connections, loses answers, and delivers requests whose sender has gone. Every read is checked against what may be there, and after each delete's 200 the
// bucket is looked at: no version, no delete marker, nothing in the user's folder but what both the user's history and the database know as
// the object of a later upload, or of one that was given up and that the network delivered late.
//
//	world.go      PostgreSQL, S3 server, proxies, replicas
//	faults.go     what is killed when, and when the network is bad
//	weather.go    what is done to what passes a proxy
//	proxy.go      connections to PostgreSQL     requests.go  requests to the S3 server, one by one
//	person.go     one user's client             pair.go      two clients of a user
//	overtake.go   a change behind one whose time is over
//	change.go     a call that changes something history.go   what may be there, by what the clients were told
//	look.go       a look into the bucket        sight.go     what is listed after a delete, and whether it may be
//	exam.go       a look at everything after the storm
//	violation.go  what must not be              report.go    figures
//	control.go    engines with a wrong step, which must be found out
//	upgrade.go    replicas are replaced, one by one, by the next release, which brings the schema forward, and back
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

// options are what the command line says.
type options struct {
	lasts    time.Duration
	seed     uint64
	dir      string
	json     string
	short    bool
	plain    bool
	upgrade  bool
	controls bool
	control  string
	trace    io.Writer
}

const (
	defaultLasts = 10 * time.Minute
	shortLasts   = time.Minute
)

func main() {
	os.Exit(program.Main("storm", run))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	var o options
	fs := flag.NewFlagSet("storm", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.DurationVar(&o.lasts, "for", defaultLasts, "how long the storm lasts")
	fs.Uint64Var(&o.seed, "seed", 1, "decides what is killed when, what clients do, and the pictures")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.StringVar(&o.json, "json", "", "file for the figures")
	fs.BoolVar(&o.short, "short", false, "a storm of a minute")
	fs.BoolVar(&o.plain, "unversioned", false, "a bucket without versions")
	fs.BoolVar(&o.upgrade, "upgrade", false, "replace replicas by the next release meanwhile, which brings the schema forward, and one of them back")
	fs.BoolVar(&o.controls, "controls", false, "afterwards run the controls, each of which must be found out")
	fs.StringVar(&o.control, "control", "", "run this control only: "+fmt.Sprint(controls()))
	trace := fs.Bool("trace", false, "tell in full what is listed after a delete and may be")
	if err := program.Parse(fs, args); err != nil {
		return err
	}
	if *trace {
		o.trace = out
	}
	if o.short {
		o.lasts = shortLasts
	}
	dir, end, err := program.Workspace(o.dir, "storm", out)
	if err != nil {
		return err
	}
	defer end(&err)
	o.dir = dir
	pictures, err := testbed.NewPictureSet(ctx, o.seed, people*picturesOfEach)
	if err != nil {
		return err
	}
	if o.control != "" {
		return runControls(ctx, o, pictures, out, []string{o.control})
	}
	err = prove(ctx, o, pictures, out)
	if clustertest.Skips(err) {
		fmt.Fprintln(out, "skipped:", err)
		return nil
	}
	if err != nil || !o.controls {
		return err
	}
	return runControls(ctx, o, pictures, out, controls())
}

// prove runs the storm on the program as it is.
func prove(ctx context.Context, o options, pictures *testbed.PictureSet, out io.Writer) error {
	binary, err := testbed.Build(ctx, o.dir)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, o, binary, pictures, nil)
	if err != nil {
		return err
	}
	defer w.close()
	if o.upgrade {
		if w.upgrade.binary, err = testbed.Build(ctx, o.dir, "failpoints"); err != nil {
			return err
		}
	}
	began := time.Now()
	k, err := w.last(ctx, o, true)
	if err != nil {
		return err
	}
	if err := w.upgrade.tell(out); err != nil {
		return err
	}
	r := w.report(k, time.Since(began))
	r.print(out)
	if err := r.save(o.json); err != nil {
		return err
	}
	if w.violations.any() {
		w.violations.tell(out)
		return errors.New("the promise was broken")
	}
	return ctx.Err()
}

// last lets the storm last, or end when the promise is broken unless it is to be whole, with a look at everything after it.
func (w *world) last(ctx context.Context, o options, whole bool) (kills, error) {
	all := make([]*person, people)
	for i := range all {
		all[i] = w.newPerson(i, o.seed)
		for tries := 0; len(all[i].may) == 0 || all[i].sequence == 0; tries++ { // the first upload registers the user
			if tries == 10 {
				return kills{}, fmt.Errorf("nobody is registered: %v", all[i].notes)
			}
			all[i].settle(all[i].make(ctx, all[i].upload(w.any(i))))
		}
	}
	most := o.lasts
	if w.upgrade.binary != "" {
		most *= upgradePatience
	}
	blowing, stop := context.WithTimeout(ctx, most)
	defer stop()
	calling, leave := context.WithCancel(ctx)
	defer leave()
	var working sync.WaitGroup
	for _, p := range all {
		working.Go(func() { p.run(calling) })
	}
	if !whole {
		go func() {
			for blowing.Err() == nil {
				if _, broken := w.violations.broken(); broken {
					stop()
				}
				pause(blowing, 100*time.Millisecond)
			}
		}()
	}
	if w.upgrade.binary != "" {
		w.starting.Go(func() {
			defer stop()
			w.upgradeAll(blowing, o.lasts)
		})
	}
	k, err := w.storm(blowing, rand.New(rand.NewPCG(o.seed, 0x73746f726d)))
	leave()
	working.Wait()
	if err != nil || !whole {
		return k, err
	}
	if err := w.examine(ctx, all); err != nil {
		return k, err
	}
	return k, w.examineReplicas(ctx)
}
