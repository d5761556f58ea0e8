package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inNamespace is the variable that tells a test process that what it mounts is its own.
const inNamespace = "AVATARD_TEST_IN_NAMESPACE"

// withMounts runs the calling test again in a process that may mount file systems, which nobody else sees and which go with
// it. It reports true there. Elsewhere it returns false, when that process has ended; where a user may not have
// such a process, only a line in the log tells.
func withMounts(t *testing.T) (inside bool) {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		return true
	}
	probe := func(attr *syscall.SysProcAttr, cmd *exec.Cmd) *exec.Cmd {
		cmd.SysProcAttr = attr
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS // Go makes the mounts private, too
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		return cmd
	}
	dir := t.TempDir()
	if out, err := probe(&syscall.SysProcAttr{}, exec.Command("mount", "-t", "tmpfs", "tmpfs", dir)).CombinedOutput(); err != nil {
		t.Logf("no file system can be mounted here, so none is tested: %v %s", err, out)
		return false
	}
	cmd := probe(&syscall.SysProcAttr{}, testCommand(t, t.Name()))
	cmd.Args = append(cmd.Args, "-test.v")
	cmd.Env = append(cmd.Env, inNamespace+"=yes")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in a process with mounts of its own: %v", err)
	}
	if err != nil || testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

// mountRoom mounts a small file system and returns where.
func mountRoom(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
