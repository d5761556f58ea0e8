// Command move proves that a store moves from a directory into a database and a bucket while it is served and its mover is killed again and
// again: nothing is lost, nothing that was deleted comes back, and no byte of a picture is left in the directory.
//
//	fill.go    a directory with users, and pictures that are made from their numbers
//	load.go    callers: reads are checked, deletes are remembered and looked after in the bucket, uploads are refused
//	kills.go   kills of the mover while it copies, compares and erases
//	exam.go    everybody in the target; the source's files, byte by byte
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

// options are what the command line says.
type options struct {
	users   int
	kills   int
	callers int
	seed    uint64
	dir     string
	plain   bool
}

func main() {
	os.Exit(program.Main("move", run))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	var o options
	short := false
	fs := flag.NewFlagSet("move", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&o.users, "users", 100_000, "how many users there are")
	fs.IntVar(&o.kills, "kills", 12, "how often the mover is killed: one half of it while it copies, a quarter each while it compares and while it erases")
	fs.IntVar(&o.callers, "callers", 4, "how many callers there are")
	fs.Uint64Var(&o.seed, "seed", 1, "decides the pictures, what callers do and when the mover is killed")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.BoolVar(&o.plain, "unversioned", false, "a bucket without versions")
	fs.BoolVar(&short, "short", false, "3,000 users and 4 kills")
	if err := program.Parse(fs, args); err != nil {
		return err
	}
	if short {
		o.users, o.kills = 3000, 4
	}
	dir, end, err := program.Workspace(o.dir, "move", out)
	if err != nil {
		return err
	}
	defer end(&err)
	o.dir = dir
	err = prove(ctx, o, out)
	if clustertest.Skips(err) {
		fmt.Fprintln(out, "skipped:", err)
		return nil
	}
	return err
}

// proof is one run.
type proof struct {
	o       options
	out     io.Writer
	servers *clustertest.Servers
	store   clustertest.Store
	testbed *testbed.Testbed
	from    *embedded.Place
	to      *cluster.Place
	users   []*user
	folders folders
	figures figures
	wrong   violations
	mover   mover
}

func prove(ctx context.Context, o options, out io.Writer) error {
	p := &proof{o: o, out: out}
	defer p.close()
	binary, err := testbed.Build(ctx, o.dir)
	if err != nil {
		return err
	}
	if err := p.start(ctx, binary); err != nil {
		return err
	}
	began := time.Now()
	if err := p.fill(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "filled: %d users, %d pictures, in %s\n", len(p.users), p.figures.pictures.Load(), time.Since(began).Round(time.Second))
	if n, err := p.searchSource(); err != nil || n < int(p.figures.pictures.Load()) {
		return fmt.Errorf("the search finds %d pictures in the directory before the move, which has %d: %w", n, p.figures.pictures.Load(), err)
	}
	began = time.Now()
	if err := p.moveUnderLoad(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	if err := p.exam(ctx); err != nil {
		return err
	}
	p.report(took)
	return p.wrong.err()
}

// start starts everything but the mover.
func (p *proof) start(ctx context.Context, binary string) (err error) {
	if p.servers, err = clustertest.Run(clustertest.Options{Port: true}); err != nil {
		return err
	}
	if p.store, err = p.servers.Make(ctx, !p.o.plain); err != nil {
		return err
	}
	environ, err := testbed.ClusterSettings(p.o.dir, "postgres://avatard@"+p.servers.DatabasePort()+"/"+p.store.Name, p.servers.Endpoint, p.store.Bucket)
	if err != nil {
		return err
	}
	data := filepath.Join(p.o.dir, "source")
	p.from = embedded.At(embedded.Config{Dir: data})
	p.to = cluster.At(cluster.Options{Database: p.store.Database, KeyFile: filepath.Join(p.o.dir, "keys"), Bucket: p.servers.BucketOptions(p.store)})
	p.testbed, err = testbed.New(testbed.Config{Binary: binary, Dir: p.o.dir, Shared: true,
		Command: []string{"move", "--serve", "--from", data}, Environ: environ})
	return err
}

func (p *proof) close() {
	p.mover.Kill()
	if p.testbed != nil {
		_ = p.testbed.Close()
	}
	if p.servers != nil {
		p.servers.Stop()
	}
}
