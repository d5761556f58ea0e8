// Command linear proves that uploads, replacements, deletes and reads of one user look as if they happened one after the
// other, each at some moment between its call and its answer, also when the server is killed in the middle. It starts the
// real program, lets clients call it over all wire forms, ends it with SIGKILL and starts it again several times, writes
// down who asked what and learned what when, and has porcupine look for an order that explains all answers.
//
//	plan.go      what the clients do, decided by a seed
//	crash.go     when and where the server is killed
//	client.go    making a call of the plan
//	history.go   starts and kills of one history    load.go  clients at work on one server
//	recorder.go  what is written down, and when a call without an answer ends
//	model.go     what one user may see
//	report.go    figures; histories that nothing explains, as a file and as a drawing
//	control.go   wrong servers, which must be found out
//
// A change without an answer may take effect as long as the process lives that had it: it ends, done or not, when the next
// process has recovered and serves. That is stronger than to call it possible for ever.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"avatard/test/client"
	"avatard/test/proof/testbed"
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
}

// Sizes of a run.
const (
	defaultHistories = 50
	shortHistories   = 3
	defaultCalls     = 1000
	defaultKills     = 4
	pictureCount     = 440 // more than a history of that length uploads
	pictureSeed      = 1
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "linear:", err)
		}
		stop()
		os.Exit(1) //nolint:forbidigo // this is a program of its own
	}
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	var o options
	fs := flag.NewFlagSet("linear", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&o.histories, "histories", defaultHistories, "how many histories to record and check")
	fs.IntVar(&o.calls, "operations", defaultCalls, "least number of operations in each")
	fs.IntVar(&o.kills, "kills", defaultKills, "kills in each, the first and the last from outside; some more hit the start after one")
	fs.Uint64Var(&o.seed, "seed", 1, "decides what clients plan to do and when to kill; the next history has the next seed")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.StringVar(&o.json, "json", "", "file for the figures")
	fs.BoolVar(&o.short, "short", false, "a few histories, then the controls")
	fs.BoolVar(&o.controls, "controls", false, "afterwards run the controls, each of which must be found out")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("takes flags only, not %q", fs.Args())
	case o.histories < 1 || o.kills < 1 || o.calls < o.kills:
		return errors.New("needs at least one history, one kill in it and an operation before each kill")
	case o.short:
		o.histories, o.controls = shortHistories, true
	}
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o700); err != nil {
			return err
		}
	}
	if o.dir, err = os.MkdirTemp(o.dir, "avatard-linear-"); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(o.dir)
		} else {
			fmt.Fprintln(out, "histories, drawings and data of the run are in", o.dir)
		}
	}()
	pictures, err := testbed.NewPictureSet(ctx, pictureSeed, pictureCount)
	if err != nil {
		return err
	}
	binary, err := testbed.Build(ctx, o.dir, "failpoints")
	if err != nil {
		return err
	}
	w := world{binary: binary, dir: o.dir, pictures: pictures, calls: o.calls, kills: o.kills, forms: client.Forms()}
	if err := prove(ctx, o, w, out); err != nil || !o.controls {
		return err
	}
	return runControls(ctx, w, o.seed, out)
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
	return r.save(o.json)
}
