package testbed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyLine is what the program logs, with the address, when it serves.
const readyLine = "msg=serving address="

// startLimit is how long a start may take. A start that has an unusual lot to finish takes a second or two.
const startLimit = 30 * time.Second

// ErrEnded: the server ended before it served. A failpoint that lies on the way is one reason.
var ErrEnded = errors.New("the server ended before it served")

// Server is one run of the program.
type Server struct {
	// URL is where it serves.
	URL string

	cmd   *exec.Cmd
	log   string     // file
	heard sync.Mutex // while its standard error is read
	read  chan struct{}
	ended chan struct{}
	state error
}

// StartProgram is Start of another program than the testbed's.
func (s *Testbed) StartProgram(ctx context.Context, binary string, environ ...string) (*Server, error) {
	srv, err := s.launch(ctx, binary, environ...)
	if err != nil {
		return nil, err
	}
	return srv, srv.AwaitServing(ctx)
}

// Start starts the program on the testbed's data directory and returns when it serves. Environ is added to the
// environment of this run alone: "FAILPOINT=remove-zeroed:3". ErrEnded when the process ended first.
func (s *Testbed) Start(ctx context.Context, environ ...string) (*Server, error) {
	return s.StartProgram(ctx, s.cfg.Binary, environ...)
}

// Launch starts the program and does not wait for it to serve.
func (s *Testbed) Launch(ctx context.Context, environ ...string) (*Server, error) {
	return s.launch(ctx, s.cfg.Binary, environ...)
}

func (s *Testbed) launch(ctx context.Context, binary string, environ ...string) (*Server, error) {
	start := s.starts.Add(1)
	if !s.cfg.Shared {
		start %= 3 // this run's and those before it
	}
	srv := &Server{read: make(chan struct{}), ended: make(chan struct{}), log: filepath.Join(s.cfg.Dir, fmt.Sprintf("server-%d.log", start))}
	var data []string
	if !s.cfg.Shared {
		data = []string{"--data", s.Data()}
	}
	command := s.cfg.Command
	if command == nil {
		command = []string{"serve"}
	}
	args := slices.Concat(command, []string{"--listen", "127.0.0.1:0", "--issuer", s.issuer, "--audience", project,
		"--client-id", introspector, "--users-register-on-admin-upload",
		"--introspection-unknown-rate", "0", "--introspection-cache-ttl", introspected, "--introspection-timeout", "10s"}, data, s.cfg.Flags)
	srv.cmd = exec.CommandContext(context.WithoutCancel(ctx), binary, args...) //nolint:gosec // the program, from Build
	srv.cmd.Env = slices.Concat([]string{"TMPDIR=" + s.Temp(), "AVATARD_CLIENT_SECRET=" + s.secret,
		"AVATARD_ORGANISATIONS=" + Organization}, s.cfg.Environ, environ) // the last one of a name counts
	log, err := os.Create(srv.log)
	if err != nil {
		return nil, err
	}
	stderr, err := srv.cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := srv.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go srv.watch(stderr, log)
	return srv, nil
}

// watch copies the log, notes the address that it tells and waits for the end.
func (s *Server) watch(stderr io.Reader, log *os.File) {
	lines := bufio.NewReader(io.TeeReader(&heldReader{stderr, &s.heard}, log))
	for s.URL == "" {
		line, err := lines.ReadString('\n')
		if _, address, ok := strings.Cut(line, readyLine); ok {
			s.URL = "http://" + strings.Fields(address)[0]
			close(s.read)
		}
		if err != nil {
			break
		}
	}
	_, _ = io.Copy(io.Discard, lines)
	s.state = s.cmd.Wait()
	_ = log.Close()
	close(s.ended)
}

// heldReader reads while it can have the lock.
type heldReader struct {
	io.Reader
	lock *sync.Mutex
}

func (r *heldReader) Read(p []byte) (int, error) {
	r.lock.Lock()
	r.lock.Unlock() //nolint:staticcheck // waiting is all there is to do: a read that waits for a line holds nobody up
	return r.Reader.Read(p)
}

// HoldLog leaves what the server writes to its standard error unread until release is called, which must happen before
// Kill and Stop.
func (s *Server) HoldLog() (release func()) {
	s.heard.Lock()
	return s.heard.Unlock
}

// LogBytes returns how much this run has logged, as far as it has been read.
func (s *Server) LogBytes() (int64, error) {
	info, err := os.Stat(s.log)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// PID returns the number of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// AwaitServing returns when a launched server serves. ErrEnded when its process ended first.
func (s *Server) AwaitServing(ctx context.Context) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case <-s.read:
		return nil
	default:
	}
	select {
	case <-s.read:
		return nil
	case <-s.ended:
		return fmt.Errorf("%w: %w", ErrEnded, s.state)
	case <-ctx.Done():
		s.Kill()
		return ctx.Err()
	case <-limit.C:
		s.Kill()
		return fmt.Errorf("the server did not serve within %v:\n%s", startLimit, s.Log())
	}
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// Terminate asks the process to end, as an operator does, and does not wait.
func (s *Server) Terminate() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return err
}

// Stop asks the process to end and waits until it has.
func (s *Server) Stop() error {
	if err := s.Terminate(); err != nil {
		return err
	}
	<-s.ended
	return s.state
}

// Ended is closed when the process has ended and can be read from State.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Killed reports whether the process, which has ended, was ended by SIGKILL, as Kill and failpoints do.
func (s *Server) Killed() bool {
	<-s.ended
	var exit *exec.ExitError
	if !errors.As(s.state, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Log returns the end of what this run has logged, without the lines that each call writes.
func (s *Server) Log() string {
	const end = 4 << 10
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	var log strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "level=INFO msg=call ") {
			log.WriteString(line)
		}
	}
	return log.String()[max(0, log.Len()-end):]
}

// Ready asks the server whether it is ready; the error names the parts that are not.
func (s *Server) Ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
	if err != nil {
		return err
	}
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: readTimeout}
	res, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if res.StatusCode != http.StatusOK || string(text) != "ok\n" {
		return fmt.Errorf("readyz: %s: %s", res.Status, text)
	}
	return nil
}
