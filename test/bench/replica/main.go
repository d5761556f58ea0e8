// Command replica measures the memory of a replica, which is avatard on PostgreSQL and a bucket, under load: deletes in all wire forms, uploads
// and reads. It fails when more is resident than the limit, with few users on record and with many. What counts is the median of looks during the
// load: the most that ever was resident depends on how many pictures were under way at once, and is printed.
//
//	main.go ─► load.go (the callers), resident.go (looks at the memory), fill.go (users on record)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/bench/usage"
	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

func main() {
	os.Exit(program.Main("replica", run))
}

// options is what one run does. Limits are in MB.
type options struct {
	callers   int
	lasts     time.Duration
	users     int
	few, many float64
	seed      uint64
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o := options{}
	fs := flag.NewFlagSet("replica", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.callers, "callers", 16, "concurrent callers, each with a user of its own")
	fs.DurationVar(&o.lasts, "for", 30*time.Second, "how long each load lasts")
	fs.IntVar(&o.users, "users", 1_000_000, "users on record under the second load")
	fs.Float64Var(&o.few, "few", 80, "`MB` that may be resident under the first load")
	fs.Float64Var(&o.many, "many", 120, "`MB` that may be resident under the second load")
	fs.Uint64Var(&o.seed, "seed", 1, "decides what callers do, and their pictures")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || o.callers < 1 || o.users < 0 {
		return errors.New("want flags only, and a caller at least")
	}
	dir, err := os.MkdirTemp("", "avatard-replica-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return measure(ctx, o, dir, stdout)
}

func measure(ctx context.Context, o options, dir string, stdout io.Writer) (err error) {
	binary, err := testbed.Build(ctx, dir)
	if err != nil {
		return err
	}
	servers, err := clustertest.Run(clustertest.Options{Port: true})
	if err != nil {
		return err
	}
	defer servers.Stop()
	store, err := servers.Make(ctx, true)
	if err != nil {
		return err
	}
	environ, err := testbed.ClusterSettings(dir, "postgres://avatard@"+servers.DatabasePort()+"/"+store.Name, servers.Endpoint, store.Bucket)
	if err != nil {
		return err
	}
	bed, err := testbed.New(testbed.Config{Binary: binary, Dir: dir, People: o.callers, Environ: environ, Shared: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	pictures, err := testbed.NewPictureSet(ctx, o.seed, o.callers)
	if err != nil {
		return err
	}
	if err := measureLoad(ctx, o, bed, pictures, o.few, stdout); err != nil {
		return err
	}
	began := time.Now()
	if err := fill(ctx, store, o.users); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d users more are on record after %s\n", o.users, time.Since(began).Round(time.Second))
	return measureLoad(ctx, o, bed, pictures, o.many, stdout)
}

// measureLoad starts a replica, puts the load on it and looks at its memory.
func measureLoad(ctx context.Context, o options, bed *testbed.Testbed, pictures *testbed.PictureSet, limit float64, stdout io.Writer) error {
	srv, err := bed.Start(ctx)
	if err != nil {
		return err
	}
	defer srv.Kill()
	before, _, err := usage.ResidentOf(srv.PID())
	if err != nil {
		return err
	}
	looks := lookAt(srv.PID())
	calls, err := load(ctx, o, bed, srv, pictures)
	during, err := looks.end(err)
	if err != nil {
		return err
	}
	_, peak, err := usage.ResidentOf(srv.PID())
	if err != nil {
		return err
	}
	const mb = 1e6
	fmt.Fprintf(stdout, "%d callers, %s, %d calls: %.1f MB resident before, %.1f MB during the load (limit %.0f), %.1f MB at most\n",
		o.callers, o.lasts, calls, float64(before)/mb, float64(during)/mb, limit, float64(peak)/mb)
	if float64(during)/mb > limit {
		return fmt.Errorf("%.1f MB were resident, limit %.0f", float64(during)/mb, limit)
	}
	return nil
}
