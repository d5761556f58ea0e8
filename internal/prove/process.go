package prove

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// startLimit is how long a start may take. A start that finishes what a kill has left takes a second at most.
const startLimit = 30 * time.Second

// dataDir is the server's data directory, below that of the proof.
const dataDir = "data"

// process is one run of the server.
type process struct {
	url   string
	cmd   *exec.Cmd
	ready chan struct{} // closed when url is known
	ended chan struct{} // closed when it has ended, and its last words are known
	last  string        // of its log
}

// startProcess starts the server on the directory and returns when it serves. Whatever it writes is below the directory.
func startProcess(ctx context.Context, cfg Config, dir string, from *provider) (*process, error) {
	temp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, err
	}
	p := &process{ready: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, cfg.Program, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, dataDir), //nolint:gosec // this very program
		"--issuer", from.issuer, "--audience", project, "--client-id", introspector, "--organisations", organization,
		"--users-register-on-admin-upload", "--log-format", "json")
	environ := slices.DeleteFunc(slices.Clone(cfg.Environ), isSetting)
	p.cmd.Env = append(environ, "AVATARD_CLIENT_SECRET="+from.secret, "TMPDIR="+temp, "TMP="+temp, "TEMP="+temp) // the last one of a name counts
	p.cmd.Dir = dir
	endWithParent(p.cmd)
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch(log)
	return p, p.awaitServing(ctx)
}

// isSetting reports whether a variable is a setting of the server.
func isSetting(variable string) bool { return strings.HasPrefix(variable, "AVATARD_") }

// watch reads the log, from which it learns the address, and waits for the end.
func (p *process) watch(log io.Reader) {
	lines := bufio.NewReader(log)
	for {
		text, err := lines.ReadString('\n')
		if text != "" {
			p.last = strings.TrimSpace(text)
		}
		var line struct{ Msg, Address string }
		if p.url == "" && json.Unmarshal([]byte(text), &line) == nil && line.Msg == "serving" {
			p.url = "http://" + line.Address
			close(p.ready)
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait() // how it ended is known to who ended it
	close(p.ended)
}

func (p *process) awaitServing(ctx context.Context) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.ended:
		return fmt.Errorf("it ended at once: %s", p.last)
	case <-ctx.Done():
		p.kill()
		return ctx.Err()
	case <-limit.C:
		p.kill()
		return errors.New("it does not serve within " + startLimit.String() + ": " + p.last)
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// strike sends SIGKILL and does not wait.
func (p *process) strike() { _ = p.cmd.Process.Kill() } // it may have ended

// kill ends the process with SIGKILL and returns when it is gone.
func (p *process) kill() {
	p.strike()
	<-p.ended
}
