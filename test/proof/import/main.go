// Command import proves that an import of many pictures goes on where it was killed: every picture is in place, none was uploaded twice, none
// that was deleted meanwhile comes back, and the report names each file that is not imported with its reason.
//
//	files.go    a directory of pictures that are made from their numbers, and of files that are none
//	imports.go  runs of the program, which are killed
//	exam.go     the report, and everybody's record in the store
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"example.org/avatard/test/program"
	"example.org/avatard/test/proof/testbed"
)

// options are what the command line says.
type options struct {
	files int
	kills int
	seed  uint64
	dir   string
	// forget throws the journal away before the last run, which the exam has to notice.
	forget bool
}

func main() {
	os.Exit(program.Main("import", run))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	var o options
	short, controls := false, false
	fs := flag.NewFlagSet("import", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.IntVar(&o.files, "files", 10_000, "how many pictures there are")
	fs.IntVar(&o.kills, "kills", 3, "how often the import is killed")
	fs.Uint64Var(&o.seed, "seed", 1, "decides the pictures and when the import is killed")
	fs.StringVar(&o.dir, "dir", "", "directory for everything; kept when something is wrong (default: a temporary one)")
	fs.BoolVar(&short, "short", false, "500 pictures")
	fs.BoolVar(&controls, "controls", false, "then show that the proof can fail: without the journal deleted pictures come back")
	if err := program.Parse(fs, args); err != nil {
		return err
	}
	if short {
		o.files = 500
	}
	dir, end, err := program.Workspace(o.dir, "import", out)
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
	o.files, o.dir, o.forget = 200, filepath.Join(dir, "control"), true
	if err := prove(ctx, o, binary, io.Discard); err == nil {
		return fmt.Errorf("control: without its journal the import brought nothing back, or nobody noticed")
	}
	_, err = fmt.Fprintln(out, "control: without its journal the import brings deleted pictures back, and the exam notices")
	return err
}

// proof is one run.
type proof struct {
	o       options
	out     io.Writer
	binary  string
	testbed *testbed.Testbed
	server  *testbed.Server
	files   []*file
	wrong   []string
	figures figures
}

// figures count what was done.
type figures struct {
	killedAt []int // acknowledged by then
	deleted  int
	lost     int // acknowledgements that were
	took     time.Duration
}

func prove(ctx context.Context, o options, binary string, out io.Writer) (err error) {
	p := &proof{o: o, out: out, binary: binary}
	if err := os.MkdirAll(p.pictures(), 0o700); err != nil {
		return err
	}
	if err := p.fill(); err != nil {
		return err
	}
	if p.testbed, err = testbed.New(testbed.Config{Binary: binary, Dir: o.dir}); err != nil {
		return err
	}
	defer func() { _ = p.testbed.Close() }()
	if p.server, err = p.testbed.Start(ctx); err != nil {
		return err
	}
	defer func() {
		if p.server != nil {
			p.server.Kill()
		}
	}()
	told, err := p.importAll(ctx)
	if err != nil {
		return err
	}
	p.examReport(told)
	err = p.server.Stop()
	p.server = nil
	if err != nil {
		return err
	}
	if err := p.examStore(ctx); err != nil {
		return err
	}
	if len(p.wrong) > 0 {
		return fmt.Errorf("%d wrong: %q", len(p.wrong), p.wrong[:min(len(p.wrong), 10)])
	}
	f := &p.figures
	_, err = fmt.Fprintf(out, "%d files, killed after %v acknowledged uploads and resumed, in %s: complete, none twice, report right; %d acknowledgements lost, %d pictures deleted meanwhile stay deleted\n",
		len(p.files), f.killedAt, f.took.Round(time.Second), f.lost, f.deleted)
	return err
}

// pictures is the directory that is imported.
func (p *proof) pictures() string { return filepath.Join(p.o.dir, "pictures") }

func (p *proof) violation(format string, arguments ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, arguments...))
}
