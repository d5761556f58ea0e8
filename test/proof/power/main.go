// Command power shows that what avatard's storage engine has promised holds when the power fails: at every moment, and
// whatever part of what was not synced has reached the disk.
//
// It puts a disk of its own (storage/powercut) under the engine, lets it work, and cuts the power at places of what the disk
// has recorded. Each outcome becomes a directory on which the engine is started again, and then:
//
//   - a removal that was answered, and the end of a picture that was replaced, stays: nothing is served, and neither
//     before the start nor after it does any file hold a run of 32 bytes of it;
//   - an upload that was answered and not removed is there, whole;
//   - what was begun without an answer is done or not done, and nothing is left of it where it is not;
//   - receipts, audit records and sequence numbers of what was answered are there, once, and the receipts count;
//   - the engine is ready, its own check (avatard fsck) and SQLite's find nothing, and a second start changes nothing.
//
// The scenarios (scenario.go) are enumerated: every place, with outcomes chosen by rule. The load (load.go) is random: many
// users at once, and every cut continues with one of its outcomes.
//
//	main.go ─► load.go, scenario.go ─► recorder.go (calls, answers) ─► proof.go ─► inspect.go, search.go ─► judge.go ◄─ expected.go
//
// With -failing syncs fail before that, and what they were to write is half lost. Disks that break the rules in the comment
// of package powercut are out of its scope.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"example.org/avatard/test/program"
)

func main() {
	os.Exit(program.Main("power", run))
}

// options is what one run does.
type options struct {
	cuts      int
	outcomes  int
	seed      uint64
	scenarios bool
	control   bool
	lie       string
	failing   int
	scratch   string
	keep      string
}

func parseOptions(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("power", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.cuts, "cuts", 1000, "how often the power is cut under load")
	fs.IntVar(&o.outcomes, "outcomes", 4, "how many outcomes of each cut are looked at")
	fs.Uint64Var(&o.seed, "seed", rand.Uint64(), "what random choices depend on, except for the order in which goroutines run")
	fs.BoolVar(&o.scenarios, "scenarios", false, "enumerate the scenarios too, at every place with every outcome; takes minutes")
	fs.BoolVar(&o.control, "control", false, "demand that a violation is found, and end with it")
	fs.StringVar(&o.lie, "lie", "", "name of a file whose syncs do nothing, for -control; . is the directory")
	fs.IntVar(&o.failing, "failing", 0, "let one sync in so many fail under load, and lose what it was to write; 0 for none")
	fs.StringVar(&o.scratch, "scratch", memory(), "where directories are made; none of it has to be durable")
	fs.StringVar(&o.keep, "keep", "", "directory that gets the first outcome that breaks a promise")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, nil
}

// memory returns a place in memory, or else that of temporary files.
func memory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(o.scratch, "avatard-power-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if !o.control {
		fmt.Fprintln(stdout, "seed", o.seed)
	}
	if o.scenarios {
		for i, st := range scenarios {
			s, err := newScenario(ctx, filepath.Join(scratch, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			s.keep = o.keep
			if err := st.run(s, 1); err != nil {
				return fmt.Errorf("%s: %w", st.name, err)
			}
			fmt.Fprintf(stdout, "%s: %d cuts, %d outcomes of them (%d different)\n", st.name, s.cuts, s.images, s.starts)
			if err := verdict(stdout, s.proof); err != nil {
				return err
			}
		}
	}
	l := newLoad(scratch, o.seed)
	l.outcomes, l.first, l.failing, l.keep = o.outcomes, o.control, o.failing, o.keep
	if o.lie != "" {
		l.lies = []string{o.lie}
	}
	err = l.run(ctx, o.cuts)
	if o.control {
		// A wrong engine may also fail outright, but that is not what has to be seen.
		if len(l.violations) == 0 {
			return errors.Join(fmt.Errorf("blind: %d cuts of an engine that breaks its promises, and nothing was found", l.cuts), err)
		}
		fmt.Fprintf(stdout, "found by cut %d: %s\n", l.cuts, l.violations[0])
		return nil
	}
	if err != nil {
		return err
	}
	l.print(stdout)
	return verdict(stdout, l.proof)
}

// verdict prints the violations, up to some.
func verdict(w io.Writer, p *proof) error {
	for i, text := range p.violations {
		if i == 20 {
			break
		}
		fmt.Fprintln(w, " ", text)
	}
	if n := len(p.violations); n > 0 {
		return fmt.Errorf("%d violations", n)
	}
	fmt.Fprintln(w, "  0 violations")
	return nil
}
