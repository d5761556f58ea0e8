package testbed

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// Fsck lets the program compare metadata and bytes, through the server that runs on the testbed's data directory or without
// one, and returns what it printed. ErrFindings when it found something.
func (s *Testbed) Fsck(ctx context.Context) (printed string, err error) {
	cmd := exec.CommandContext(ctx, s.cfg.Binary, "fsck", "--data", s.Data(), "--json") //nolint:gosec // the program, from Build
	cmd.Env = []string{"TMPDIR=" + s.Temp()}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return string(out), ErrFindings
	}
	if err != nil {
		err = fmt.Errorf("fsck: %w: %s", err, out)
	}
	return string(out), err
}

// ErrFindings: metadata and bytes do not agree.
var ErrFindings = errors.New("fsck has findings")
