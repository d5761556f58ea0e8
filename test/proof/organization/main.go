// Command organization proves that an organisation is erased, with however many users, beside callers of another one: its erasure is killed
// again and again and goes on, says how far it is, leaves nobody and no byte of a picture, and a receipt for each; and the callers keep most
// of their rate.
//
//	fill.go      an organisation with users, and pictures that are made from their numbers
//	callers.go   callers of another organisation, who check each answer
//	erasure.go   one call that erases: the RPC in all wire forms, and the command
//	windows.go   windows of time with the erasure and without it, in turns, and kills
//	exam.go      what a kill left, and everything at the end
//
// With -controls it does the same to a build with a wrong order of steps, and fails when it notices nothing.
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

	"example.org/avatard/internal/pieces"
	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

// options are what the command line says.
type options struct {
	users   int
	kills   int
	callers int
	window  time.Duration
	ratio   float64
	seed    uint64
	dir     string
}

func main() {
	os.Exit(program.Main("organization", run))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	var o options
	short, controls := false, false
	fs := flag.NewFlagSet("organization", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&o.users, "users", 100_000, "how many users the organisation has")
	fs.IntVar(&o.kills, "kills", 3, "how often the server is killed meanwhile")
	fs.IntVar(&o.callers, "callers", 16, "how many callers of the other organisation there are")
	fs.DurationVar(&o.window, "window", 2*time.Second, "how long callers are counted without the erasure, and three times as long with it, in turns; 0 = not at all")
	fs.Float64Var(&o.ratio, "ratio", 0.8, "which part of their rate callers have to keep; 0 = any")
	fs.Uint64Var(&o.seed, "seed", 1, "decides the pictures")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.BoolVar(&short, "short", false, "1,200 users, and callers are not counted: so few users are gone before that says anything")
	fs.BoolVar(&controls, "controls", false, "then show that the proof can fail: bytes that are overwritten only after the answer are found behind a kill")
	if err := program.Parse(fs, args); err != nil {
		return err
	}
	if short {
		o.users, o.window, o.ratio = 1200, 0, 0
	}
	dir, end, err := program.Workspace(o.dir, "organization", out)
	if err != nil {
		return err
	}
	defer end(&err)
	binary, err := testbed.Build(ctx, dir)
	if err != nil {
		return err
	}
	o.dir = filepath.Join(dir, "proof")
	if err := prove(ctx, o, binary, out); err != nil || !controls {
		return err
	}
	o.dir = filepath.Join(dir, "control")
	return control(ctx, o, out)
}

// control erases with a program that overwrites bytes later than it says. It is an error when that is not found out.
func control(ctx context.Context, o options, out io.Writer) error {
	binary, err := testbed.Build(ctx, filepath.Dir(o.dir), "failpoints")
	if err != nil {
		return err
	}
	o.users, o.window, o.ratio = 400, 0, 0
	err = prove(ctx, o, binary, io.Discard, "WRONG_ORDER=bytes-later")
	if !errors.Is(err, errPieces) {
		return fmt.Errorf("control: bytes were overwritten later than the program said, and not found: these checks are blind: %w", err)
	}
	_, err = fmt.Fprintf(out, "control: bytes that are overwritten later are found out: %v\n", err)
	return err
}

// proof is one run.
type proof struct {
	o       options
	out     io.Writer
	binary  string
	testbed *testbed.Testbed
	server  testbed.Current
	sample  []int         // numbers of users whose pictures are looked for
	index   *pieces.Index // of those, in that order
	noted   []string      // files with heads of the log of receipts
	meter   meter
	calls   int // that erased
	wrong   violations
	figures figures
}

func prove(ctx context.Context, o options, binary string, out io.Writer, environ ...string) (err error) {
	p := &proof{o: o, out: out, binary: binary}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	if p.testbed, err = testbed.New(testbed.Config{Binary: binary, Dir: o.dir, People: o.callers, Environ: environ}); err != nil {
		return err
	}
	defer func() { _ = p.testbed.Close() }()
	defer p.server.Kill()
	began := time.Now()
	if err := p.fill(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "filled: %d users, %d pictures, in %s\n", o.users, p.figures.pictures, time.Since(began).Round(time.Second))
	if err := p.eraseUnderLoad(ctx); err != nil {
		return err
	}
	if err := p.exam(ctx); err != nil {
		return err
	}
	p.report()
	return p.wrong.err()
}
