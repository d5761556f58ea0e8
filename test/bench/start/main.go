// Command start shows that opening a data directory takes no longer, and no more memory, however many users there are. It makes one with
// metadata of many users, opens it in a process of its own and fails when that takes too long or too much. It also
// prints how long the first changes take, while most of the directory has not been looked at yet.
//
//	main.go ─► ../large (makes the directory) ─► open.go, in a process of its own ─► usage_linux.go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"example.org/avatard/test/bench/large"
	"example.org/avatard/test/program"
)

func main() {
	os.Exit(program.Main("start", run))
}

// options is what one run does.
type options struct {
	users  int
	dir    string // where the data goes, "" = a temporary directory
	limit  time.Duration
	memory int64 // MiB
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 3 && args[0] == openRole {
		return openStore(ctx, args[1], args[2], stdout)
	}
	o := options{}
	fs := flag.NewFlagSet("start", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.users, "users", 10_000_000, "users")
	fs.StringVar(&o.dir, "dir", "", "`DIR` for the data, about 230 bytes a user; a temporary one unless given")
	fs.DurationVar(&o.limit, "limit", 500*time.Millisecond, "how long opening may take, CPU time")
	fs.Int64Var(&o.memory, "memory", 100, "MiB that may be resident when it is open")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || o.users < 100 {
		return errors.New("want flags only, and 100 users or more")
	}
	dir, err := os.MkdirTemp(o.dir, "avatard-start-")
	if err != nil {
		return err
	}
	return errors.Join(measure(ctx, o, dir, stdout), os.RemoveAll(dir))
}

func measure(ctx context.Context, o options, dir string, stdout io.Writer) error {
	began := time.Now()
	if err := large.Fill(ctx, dir, o.users); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d users: metadata made in %s\n", o.users, time.Since(began).Round(time.Second))
	for _, when := range []string{"after a kill", "again"} {
		r, err := open(ctx, dir, o.users)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: opened in %s (%s of CPU), %.1f MiB resident; the first upload took %s, the first delete %s, the longest of %d more uploads %s\n",
			when, r.Took.Round(time.Millisecond), r.CPU.Round(time.Millisecond), float64(r.Resident)/(1<<20),
			r.Upload.Round(10*time.Microsecond), r.Delete.Round(10*time.Microsecond), moreUploads, r.Longest.Round(10*time.Microsecond))
		fmt.Fprintf(stdout, "  everything looked at after %s (%s of CPU), then %.1f MiB resident\n",
			r.Tidied.Round(time.Millisecond), r.TidyCPU.Round(time.Millisecond), float64(r.After)/(1<<20))
		if r.CPU > o.limit {
			return fmt.Errorf("opening took %s of CPU, limit %s", r.CPU, o.limit)
		}
		if most := max(r.Resident, r.After); most > o.memory<<20 {
			return fmt.Errorf("%d MiB resident, limit %d", most>>20, o.memory)
		}
	}
	return nil
}
