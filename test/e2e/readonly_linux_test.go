package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
)

// On a file system that is mounted read-only every command says so, and once it is mounted for writing all is there.
func TestReadOnlyFileSystem(t *testing.T) {
	becomeProgram()
	if !withMounts(t) {
		return
	}
	room := mountRoom(t, 4<<20)
	c := newCrowd(t, filepath.Join(room, "data"))
	c.server.kill()
	remount := func(flags uintptr) {
		if err := syscall.Mount("", room, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	fresh := filepath.Join(room, "fresh")
	for _, args := range [][]string{
		c.argsOn(c.dir), c.argsOn(fresh), {"org", "add", devidp.OrgAcme, "--data", c.dir}, {"migrate", "--data", c.dir},
		{"migrate", "--check", "--data", c.dir}, {"dev", "--listen", "127.0.0.1:0", "--env-file", "", "--data", c.dir},
	} {
		startProcess(t, nil, args...).wantRefusal(args[0], cli.ExitFailed, room, "read-only file system", "mount it for writing")
	}
	remount(0)
	if _, err := os.Stat(fresh); err == nil {
		t.Error("a directory was made")
	}
	c.start()
	c.check("mounted for writing")
	if status := c.remove(userName(0)); status != 200 {
		t.Errorf("a delete then = %d, want 200", status)
	}
	c.server.stop()
}
