// Command kill proves that 200 means gone, also when the server is killed. It starts the real program, lets callers upload,
// replace, delete, read, and end users over all wire forms, ends it with SIGKILL at random moments and at every failpoint, starts it
// again and looks: nothing that was deleted comes back or leaves a byte, nothing that was stored is lost, what had no
// answer is done or not done, and every receipt counts.
//
//	plan.go       when and where the server is killed, decided by a seed
//	harness.go    start, load, kill, again
//	load.go       what callers do
//	ends.go       users who end, and are readmitted
//	user.go       what is known of one user         history.go  what may be seen of one, and what may not
//	check.go      looking at what a kill left and at what a start made of it
//	receipts.go   what callers were told and what is on record
//	violation.go  what must not be                  report.go   figures
//	control.go    builds with a wrong order of steps, which must be found out
//
// With -controls it does the same to builds with a wrong order of steps, and fails when it notices nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

// options are what the command line says.
type options struct {
	kills          int
	seed           uint64
	dir            string
	json           string
	short          bool
	failpointsOnly bool
	controls       bool
	control        string
}

// Kills of a run.
const (
	defaultKills = 1000
	shortRounds  = 2
	controlKills = 50
)

func main() {
	os.Exit(program.Main("kill", run))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	var o options
	fs := flag.NewFlagSet("kill", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&o.kills, "kills", defaultKills, "how often to kill")
	fs.Uint64Var(&o.seed, "seed", 1, "decides when and where to kill, and the pictures")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.StringVar(&o.json, "json", "", "file for the figures")
	fs.BoolVar(&o.short, "short", false, "every failpoint twice and a few kills from outside")
	fs.BoolVar(&o.failpointsOnly, "failpoints-only", false, "no kills from outside")
	fs.BoolVar(&o.controls, "controls", false, "afterwards run the controls, each of which must be found out")
	fs.StringVar(&o.control, "control", "", "run this control only: "+fmt.Sprint(controls()))
	if err := program.Parse(fs, args); err != nil {
		return err
	}
	dir, end, err := program.Workspace(o.dir, "kill", out)
	if err != nil {
		return err
	}
	defer end(&err)
	o.dir = dir
	pictures, err := testbed.NewPictureSet(ctx, o.seed, pictureCount)
	if err != nil {
		return err
	}
	if o.control != "" {
		return runControls(ctx, o, pictures, out, []string{o.control})
	}
	if err := prove(ctx, o, pictures, out); err != nil || !o.controls {
		return err
	}
	return runControls(ctx, o, pictures, out, controls())
}

// prove kills the program in its right order of steps.
func prove(ctx context.Context, o options, pictures *testbed.PictureSet, out io.Writer) error {
	binary, err := testbed.Build(ctx, o.dir, "failpoints")
	if err != nil {
		return err
	}
	failpoints := failpoints()
	randomly := len(failpoints) + 10
	if o.short {
		randomly = 24
		o.kills = shortRounds * (len(failpoints) + randomly)
		for _, name := range failpoints {
			if whereIs(name) == undoneStart {
				o.kills += shortRounds
			}
		}
	}
	if o.failpointsOnly {
		randomly = 0
	}
	h := newHarness(o, pictures, binary, out, failpoints, randomly)
	if o.short || o.failpointsOnly {
		h.least = shortRounds
	}
	if o.short {
		h.plan.changes, h.plan.passes = 60, 10
	}
	runErr := h.run(ctx, o.kills)
	report, err := h.report(o)
	if err = errors.Join(runErr, err); err != nil {
		return err
	}
	report.print(out)
	return h.verdict(out, o)
}

func newHarness(o options, pictures *testbed.PictureSet, binary string, out io.Writer, failpoints []string, randomly int) *harness {
	random := rand.New(rand.NewPCG(o.seed, 0x6b696c6c))
	return &harness{out: out, dir: o.dir, binary: binary, pictures: pictures, seed: o.seed, violations: new(violations),
		plan: &plan{random: random, failpoints: failpoints, randomly: randomly, changes: 120, passes: 25}}
}
