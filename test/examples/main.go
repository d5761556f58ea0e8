// Command examples builds and runs what is in the folder examples, each as its README says, against one "avatard dev", and looks at what
// it says and at what is left on the server. The packages of npm must be there (.tools/examples.sh installs them).
//
//	main.go ─► dev.go       the server, its people and tokens, and what is stored
//	   ├─────► scripts.go   shell, Python, Go
//	   ├─────► node.go      the Node service, with a proxy that says 503 once and a token endpoint
//	   ├─────► pages.go     the pages, in Chromium
//	   └─────► module.go    "go get" of the module, by a module proxy that is a folder
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

func main() {
	os.Exit(program.Main("examples", run))
}

// check runs one example and returns what is wrong.
type check struct {
	name string
	run  func(ctx context.Context, d *dev) error
}

func checks() []check {
	return []check{
		{"shell", shell}, {"python", python}, {"go", goClient}, {"node", node},
		{"connect-web", connectWeb}, {"grpc-web", grpcWeb}, {"go get", goGet},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	fs := flag.NewFlagSet("examples", flag.ContinueOnError)
	fs.SetOutput(stderr)
	only := fs.String("only", "", "names of those to run, such as shell,python; all without it")
	if err := fs.Parse(args); err != nil {
		return err
	}
	dir, end, err := program.Workspace("", "examples", stderr)
	if err != nil {
		return err
	}
	defer func() { end(&err) }()
	binary, err := testbed.Build(ctx, dir)
	if err != nil {
		return err
	}
	d, err := startDev(ctx, binary, dir)
	if err != nil {
		return err
	}
	defer d.stop()
	ran := 0
	for _, c := range checks() {
		if *only != "" && !strings.Contains(","+*only+",", ","+c.name+",") {
			continue
		}
		began := time.Now()
		if err := c.run(ctx, d); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		ran++
		if _, err := fmt.Fprintf(stdout, "%-12s as its README says, %.1f s\n", c.name, time.Since(began).Seconds()); err != nil {
			return err
		}
	}
	if ran == 0 {
		return fmt.Errorf("no example is called %s", *only)
	}
	return nil
}
