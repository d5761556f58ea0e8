package clustertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// startLimit is how long a server may take to start.
const startLimit = 60 * time.Second

// Process is a server that can be killed and started again on the data that it left. Its methods may be called concurrently.
type Process struct {
	name, program, dir, log string
	args                    []string
	account                 *syscall.SysProcAttr
	death                   syscall.Signal // what ends it as a crash does
	ask                     func(context.Context) error

	mu  sync.Mutex
	cmd *exec.Cmd // nil while it does not run
}

// Start starts the server and returns when it answers. It does nothing while the server runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.Background(), p.program, p.args...) //nolint:gosec // programs that were looked for
	cmd.SysProcAttr, cmd.Dir, cmd.Stdout, cmd.Stderr = p.account, p.dir, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		err := p.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not start: %w", p.name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server as a crash of its processes does, and waits until it is gone.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(p.death)
	_ = p.cmd.Wait()
	p.cmd = nil
}
