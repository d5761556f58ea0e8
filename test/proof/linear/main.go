// Command linear proves that uploads, replacements, deletes and reads of one user, in several sizes, and ends and readmissions of the user look as if they happened one after the
// other, each at some moment between its call and its answer, also when the server is killed in the middle. It starts the
// real program, lets clients call it over all wire forms, ends it with SIGKILL and starts it again several times, writes
// down who asked what and learned what when, and has porcupine look for an order that explains all answers.
//
//	plan.go      what the clients do, decided by a seed
//	crash.go     when and where the server is killed (deal.go: after how many calls)
//	client.go    making a call of the plan
//	erase.go     ending a user, and readmitting them
//	history.go   starts and kills of one history    load.go  clients at work on one server
//	recorder.go  what is written down, and when a call without an answer ends
//	model.go     what one user may see
//	report.go    figures; histories that nothing explains, as a file and as a drawing
//	control.go   wrong servers, which must be found out
//
// With -cluster three replicas share a database and a bucket, and clients go to all of them:
//
//	fault.go     what is killed when: a replica, PostgreSQL, the S3 server, everything
//	replicas.go  starts and kills of replicas      round.go     clients at work until everything was killed
//	turnback.go  a database that has lost what was acknowledged
//
// A change without an answer may take effect as long as the process lives that had it: it ends, done or not, when the next
// process has recovered and serves. That is stronger than to call it possible for ever. In a cluster it ends when all replicas and
// PostgreSQL were killed at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

// options are what the command line says.
type options struct {
	histories int
	calls     int
	kills     int
	seed      uint64
	dir       string
	json      string
	short     bool
	controls  bool
	cluster   bool
}

// Sizes of a run.
const (
	defaultHistories = 50
	shortHistories   = 3
	defaultCalls     = 1000
	defaultKills     = 4
	clusterHistories = 20
	clusterKills     = 12
	pictureCount     = 440 // more than a history of that length uploads
	pictureSeed      = 1
)

func main() {
	os.Exit(program.Main("linear", run))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	o, err := parse(args, errOut)
	if err != nil {
		return err
	}
	dir, end, err := program.Workspace(o.dir, "linear", out)
	if err != nil {
		return err
	}
	defer end(&err)
	o.dir = dir
	w := world{dir: o.dir, calls: o.calls, kills: o.kills, forms: client.Forms()}
	if o.cluster {
		err = w.startServers()
		if clustertest.Skips(err) {
			fmt.Fprintln(out, "skipped:", err)
			return nil
		}
		if err != nil {
			return err
		}
		defer w.servers.Stop()
	}
	if w.pictures, err = testbed.NewPictureSet(ctx, pictureSeed, pictureCount); err != nil {
		return err
	}
	w.resized = make(map[int]testbed.Resized)
	for _, size := range sizes {
		if w.resized[size], err = w.pictures.Resize(ctx, size); err != nil {
			return err
		}
	}
	if w.binary, err = testbed.Build(ctx, o.dir, "failpoints"); err != nil {
		return err
	}
	if err := prove(ctx, o, w, out); err != nil || !o.controls {
		return err
	}
	return runControls(ctx, w, o.seed, out)
}

// parse reads the command line.
func parse(args []string, errOut io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("linear", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.BoolVar(&o.cluster, "cluster", false, "three servers on one database and one bucket, all of which are killed")
	fs.IntVar(&o.histories, "histories", 0, fmt.Sprintf("how many histories to record and check (default %d, %d of a cluster)", defaultHistories, clusterHistories))
	fs.IntVar(&o.calls, "operations", defaultCalls, "least number of operations in each")
	fs.IntVar(&o.kills, "kills", 0, fmt.Sprintf("kills in each (default %d, %d of a cluster), the first and the last from outside; some more hit the start after one", defaultKills, clusterKills))
	fs.Uint64Var(&o.seed, "seed", 1, "decides what clients plan to do and when to kill; the next history has the next seed")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.StringVar(&o.json, "json", "", "file for the figures")
	fs.BoolVar(&o.short, "short", false, "a few histories, then the controls; of a cluster one history alone")
	fs.BoolVar(&o.controls, "controls", false, "afterwards run the controls, each of which must be found out")
	if err := program.Parse(fs, args); err != nil {
		return o, err
	}
	histories, kills := defaultHistories, defaultKills
	switch {
	case o.short && o.cluster:
		histories, kills = 1, roundFaults
	case o.cluster:
		histories, kills = clusterHistories, clusterKills
	case o.short:
		histories, o.controls = shortHistories, true
	}
	if o.histories == 0 || o.short {
		o.histories = histories
	}
	if o.kills == 0 {
		o.kills = kills
	}
	switch {
	case o.histories < 1 || o.kills < 1 || o.calls < o.kills:
		return o, errors.New("needs at least one history, one kill in it and an operation before each kill")
	}
	return o, nil
}

// startServers starts what replicas keep their data in.
func (w *world) startServers() (err error) {
	// A commit takes some milliseconds, as on a disk. Rows are locked as long, so that changes meet.
	w.servers, err = clustertest.Run(clustertest.Options{Settings: []string{"commit_delay=5000", "commit_siblings=0"}})
	return err
}

// prove records and checks the histories. It ends with the first one that nothing explains.
func prove(ctx context.Context, o options, w world, out io.Writer) error {
	r := report{Seed: o.seed}
	began := time.Now()
	for i := range o.histories {
		h, err := w.record(ctx, o.seed+uint64(i))
		if err != nil {
			return err
		}
		v := judge(h.operations)
		if err := h.verdict(v, o.dir); err != nil {
			return err
		}
		r.add(h, v)
		if err := os.RemoveAll(filepath.Join(o.dir, fmt.Sprintf("testbed-%d", h.seed))); err != nil {
			return err
		}
		if r.Histories%10 == 0 && r.Histories < o.histories {
			fmt.Fprintf(out, "%4d histories, %d operations, %v\n", r.Histories, r.Operations, time.Since(began).Round(time.Second))
		}
	}
	r.Seconds = time.Since(began).Seconds()
	r.print(out)
	if r.Erased == 0 || r.Readmitted == 0 {
		return errors.New("no user was ended, or none readmitted: that shows nothing of either")
	}
	return r.save(o.json)
}
