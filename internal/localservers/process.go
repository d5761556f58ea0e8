package localservers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// startLimit is how long a server may take to start.
	startLimit = 60 * time.Second
	// stopLimit is how long it may take to finish what it does.
	stopLimit = 10 * time.Second
)

// Process is a server that can be killed and started again on the data that it left. Its methods may be called concurrently.
type Process struct {
	name, program, dir, log string
	args, environ           []string
	as                      *syscall.SysProcAttr
	end, death              syscall.Signal // what lets it finish, and what ends it as a crash does
	ask                     func(context.Context) error

	mu    sync.Mutex
	cmd   *exec.Cmd     // nil while it does not run
	ended chan struct{} // closed when it has ended
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
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.Env = append(cmd.Environ(), p.environ...)
	cmd.SysProcAttr = ofItsOwn(p.as, p.death)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	p.cmd, p.ended = cmd, ended
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		err := p.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			p.cmd = nil
			return fmt.Errorf("%s ended at once: %s", p.name, logTail(p.log))
		case <-ctx.Done():
			p.finish(p.death)
			return fmt.Errorf("%s did not start: %w; %s", p.name, err, logTail(p.log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server as a crash of its processes does, and waits until it is gone.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish(p.death)
}

// Stop lets the server finish what it does, and kills it when that takes long.
func (p *Process) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(p.end)
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
	}
	p.finish(p.death)
}

// finish sends a signal that the server cannot outlive. The caller holds mu.
func (p *Process) finish(signal syscall.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	<-p.ended
	p.cmd = nil
}
