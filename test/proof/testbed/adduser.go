package testbed

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// AddUser lets the command register a user, also one who has ended, and reports whether the user was not registered before. The data is
// shared: no server takes part.
func (s *Testbed) AddUser(ctx context.Context, user string) (created bool, err error) {
	cmd := exec.CommandContext(ctx, s.cfg.Binary, "user", "add", user, "--org", Organization, "--issuer", s.issuer) //nolint:gosec // the program, from Build
	cmd.Env = slices.Concat([]string{"TMPDIR=" + s.Temp()}, s.cfg.Environ)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case err != nil:
		return false, fmt.Errorf("user add: %w: %s", err, stderr.String())
	case string(out) == "user "+user+" added\n":
		return true, nil
	case string(out) == "user "+user+" already there\n":
		return false, nil
	}
	return false, fmt.Errorf("user add: unexpected answer %q", out)
}
