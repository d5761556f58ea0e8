package program

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
)

// Process is this program once more, in a process of its own.
type Process struct {
	Cmd *exec.Cmd
	// In is its standard input. A program that serves ends when that is closed.
	In io.WriteCloser
	// Out is its standard output.
	Out io.Reader
}

// Again starts this program again with other arguments. environ goes in addition to that of this process. The process is killed when ctx ends.
func Again(ctx context.Context, stderr io.Writer, environ []string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{Cmd: exec.CommandContext(ctx, self, args...)} //nolint:gosec // this very program
	p.Cmd.Stderr, p.Cmd.Env = stderr, append(p.Cmd.Environ(), environ...)
	if p.In, err = p.Cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.Out, err = p.Cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, p.Cmd.Start()
}

// Stop lets the process end in order.
func (p *Process) Stop() error { return errors.Join(p.In.Close(), p.Cmd.Wait()) }

// UntilClosed returns a context that ends when in is closed by the process that started this one. cancel is to be called behind it.
func UntilClosed(ctx context.Context, in io.Reader) (until context.Context, cancel context.CancelFunc) {
	until, cancel = context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, in)
	}()
	return until, cancel
}
