package testbed

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build makes the program in dir, pure Go as it is released, with build tags such as "failpoints", and
// returns its file. The working directory must be inside the repository.
func Build(ctx context.Context, dir string, tags ...string) (binary string, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("look for the module: %w", err)
	}
	binary, err = filepath.Abs(filepath.Join(dir, "avatard-"+strings.Join(append([]string{"for-proof"}, tags...), "-")))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "-tags", strings.Join(tags, ","), ".") //nolint:gosec // tags of ours
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return binary, nil
}
