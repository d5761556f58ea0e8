// Command fsck shows that checking a data directory takes memory that does not depend on how many users there are. It
// fills a store with some users, checks it without a server and inside one, fills it up to many users, checks it again,
// and fails when that took more memory. The cost of a check to calls beside it is printed, too.
//
// Each step is a process of its own, so that it measures nothing but itself.
//
//	main.go ─► step.go ─► fill.go, check.go, usage_linux.go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"example.org/avatard/test/program"
)

func main() {
	os.Exit(program.Main("fsck", run))
}

// options is what one run does.
type options struct {
	few, many int    // users
	dir       string // where the data goes, "" = a temporary directory
	growth    int64  // MiB that a check of many may take beyond one of few
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == stepRole {
		return runStep(ctx, args[1:], stdout)
	}
	o := options{}
	fs := flag.NewFlagSet("fsck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.few, "few", 100_000, "users at first; enough for their metadata to fill the database's cache, 16 MB")
	fs.IntVar(&o.many, "users", 1_000_000, "users in the end")
	fs.StringVar(&o.dir, "dir", "", "empty `DIR` for the data, about 7 KB a user; a temporary one unless given")
	fs.Int64Var(&o.growth, "growth", 8, "MiB of memory that the check of all may take beyond that of the first")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || o.few < 1 || o.many <= o.few {
		return errors.New("want flags only, and more users in the end than at first")
	}
	dir, err := os.MkdirTemp(o.dir, "avatard-fsck-")
	if err != nil {
		return err
	}
	err = measure(ctx, o, dir, stdout)
	return errors.Join(err, os.RemoveAll(dir))
}

// measure fills, checks, fills, checks.
func measure(ctx context.Context, o options, dir string, stdout io.Writer) error {
	var offline, inside [2]result
	from := 0
	for i, users := range []int{o.few, o.many} {
		filled, err := step(ctx, "fill", dir, from, users)
		if err != nil {
			return err
		}
		from = users
		if offline[i], err = step(ctx, "check", dir, users, users); err != nil {
			return err
		}
		if inside[i], err = step(ctx, "serve", dir, users, users); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%d users: filled in %s, slab %d MiB\n", users, filled.took(), filled.SlabBytes>>20)
		fmt.Fprintf(stdout, "  without a server  checked in %s (%s of CPU), %.1f MiB resident at most\n", offline[i].took(),
			offline[i].CPU.Round(10*time.Millisecond), mib(offline[i].PeakBytes))
		fmt.Fprintf(stdout, "  inside a server   checked in %s, %.1f MiB resident before, %.1f MiB at most meanwhile\n",
			inside[i].took(), mib(inside[i].BeforeBytes), mib(inside[i].PeakBytes))
		fmt.Fprintf(stdout, "  a caller's change took %s (median), %s (1 of 100), %s (longest); without a check %s, %s, %s\n",
			inside[i].Beside[0], inside[i].Beside[1], inside[i].Beside[2], inside[i].Quiet[0], inside[i].Quiet[1], inside[i].Quiet[2])
	}
	more := offline[1].PeakBytes - offline[0].PeakBytes
	moreInside := (inside[1].PeakBytes - inside[1].BeforeBytes) - (inside[0].PeakBytes - inside[0].BeforeBytes)
	fmt.Fprintf(stdout, "the check of %d users took %.1f MiB more than that of %d without a server, %.1f MiB inside one; limit %d MiB\n",
		o.many, mib(more), o.few, mib(moreInside), o.growth)
	if max(more, moreInside) > o.growth<<20 {
		return errors.New("the memory of a check grows with the number of users")
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (r result) took() time.Duration { return r.Took.Round(10 * time.Millisecond) }
