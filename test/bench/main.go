// Command bench measures what deleting an avatar costs, against things that do less:
//
//	empty     an HTTP handler that does nothing but read the request
//	bare      the generated RPC handler, answering with a constant
//	noop      avatard in front of a store that answers with a constant
//	embedded  avatard as it is served
//	quiet     the same without access log (log.level=warn)
//
// Each is a process of its own, and so is the one that calls them. One short slice after the other, in turns, with the
// median over several rounds of the ratios within a round: absolute numbers say more about the machine and its other
// work than about the program. Every delete of a slice hits a user with a picture; those are uploaded before it. The
// token is introspected at the program's own provider and cached as in production.
//
//	main.go ─► runner.go ─┬(stdin, stdout: control.go)─► serve.go ─► target.go, pool.go, disk.go
//	                       ├──────────────────────────────► load.go ─► http1.go, http2.go ◄─ form.go
//	                       └► result.go ─► verdict.go, report.go, plot.go
//
// It does not test: what an answer means is looked at only as far as is needed to know that the work was done.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.org/avatard/test/program"
)

func main() {
	os.Exit(program.Main("bench", func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		return run(ctx, args, os.Stdin, stdout, stderr)
	}))
}

// Roles of the processes that the program starts of itself.
const (
	roleServe = "serve-role"
	roleLoad  = "load-role"
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == roleServe {
		return serveRole(ctx, stdin, stdout)
	}
	if len(args) == 1 && args[0] == roleLoad {
		return loadRole(ctx, stdin, stdout)
	}
	opts, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	c := &runner{opts: opts, progress: &sharedWriter{w: stderr}}
	res, err := c.measure(ctx)
	if err != nil {
		return err
	}
	rep := newReport(opts, res)
	rep.print(stdout)
	if opts.json != "" {
		if err := rep.writeJSON(opts.json); err != nil {
			return err
		}
	}
	if opts.plot != "" {
		if err := rep.writePlot(opts.plot); err != nil {
			return err
		}
	}
	if opts.check {
		return missed(rep.Verdicts)
	}
	return nil
}

// sharedWriter is where several processes complain.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// options is what one run measures.
type options struct {
	forms   []form
	callers []int
	targets []target
	rounds  int
	slice   time.Duration
	deletes int // after so many on the embedded engine its memory is read
	bytes   int // size of a picture
	pool    int // users who take turns
	dir     string
	profile string
	json    string
	plot    string
	check   bool
	short   bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	formNames := fs.String("forms", join(allForms()), "wire `FORMS` to measure")
	callerCounts := fs.String("callers", "1,16,128", "numbers of concurrent callers, each with a connection of its own")
	targetNames := fs.String("targets", join(allTargets()), "what to measure")
	fs.IntVar(&o.rounds, "rounds", 7, "rounds; every figure is the median over them")
	fs.DurationVar(&o.slice, "slice", 300*time.Millisecond, "how long each cell of a round is measured")
	fs.IntVar(&o.deletes, "deletes", 100_000, "read the resident memory of the embedded server after so many deletes")
	fs.IntVar(&o.bytes, "bytes", 4000, "size of a picture")
	fs.StringVar(&o.dir, "dir", "", "`DIR` on the disk to measure; without it a temporary one")
	fs.StringVar(&o.profile, "profile", "", "`DIR` for a CPU profile of each slice; the figures are then those of a profiled server")
	fs.StringVar(&o.json, "json", "", "`FILE` for the figures of every round")
	fs.StringVar(&o.plot, "plot", "", "`FILE` (SVG) for a plot of the calls a second by those of the bare handler")
	fs.BoolVar(&o.check, "check", false, "exit with 1 when a ratio that must hold is missed")
	fs.BoolVar(&o.short, "short", false, "one round of very short slices: shows that everything runs, measures nothing")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.pool = 1 << 16
	if o.short {
		o.rounds, o.slice, o.deletes, o.pool = 1, 15*time.Millisecond, 1000, 1<<12
	}
	var err error
	if o.forms, err = chosen(allForms(), *formNames); err != nil {
		return o, err
	}
	if o.targets, err = chosen(allTargets(), *targetNames); err != nil {
		return o, err
	}
	for word := range strings.SplitSeq(*callerCounts, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > maxCallers {
			return o, fmt.Errorf("-callers %q: expected numbers from 1 to %d", word, maxCallers)
		}
		o.callers = append(o.callers, n)
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("flags only, not %q", fs.Arg(0))
	case o.rounds < 1 || o.slice < time.Millisecond || o.deletes < 0:
		return o, errors.New("-rounds, -slice and -deletes must be positive")
	}
	return o, nil
}

// join and chosen write and read a list of names.
func join[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, name := range all {
		words[i] = string(name)
	}
	return strings.Join(words, ",")
}

func chosen[T ~string](all []T, text string) ([]T, error) {
	var some []T
	for word := range strings.SplitSeq(text, ",") {
		if !slices.Contains(all, T(word)) {
			return nil, fmt.Errorf("%q: expected some of %s", word, join(all))
		}
		some = append(some, T(word))
	}
	return some, nil
}
