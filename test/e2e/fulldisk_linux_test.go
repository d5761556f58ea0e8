package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
)

// fill takes all room of a file system but so many bytes.
func fill(t *testing.T, path string, leave int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size - leave); err != nil {
		t.Fatal(err)
	}
}

// limitFiles bounds the size of the files that a process writes.
func limitFiles(t *testing.T, pid int, limit uint64) {
	t.Helper()
	bound := syscall.Rlimit{Cur: limit, Max: ^uint64(0)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&bound)), 0, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
}

// fillUp takes all room of a file system.
func fillUp(t *testing.T, path string) {
	t.Helper()
	fill(t, path, 0)
}

// A really full disk: uploads until they are refused, then a file of somebody else that takes the rest. Every delete is done all the
// same, also after a stop, a kill and a start without a byte of room. Nothing acknowledged is lost, and when there is room again all goes on by
// itself.
func TestFullDisk(t *testing.T) {
	becomeProgram()
	if !withMounts(t) {
		return
	}
	const size = 24 << 20
	room := mountRoom(t, size)
	filler := filepath.Join(room, "filler")
	c := newCrowd(t, filepath.Join(room, "data"))
	big := picture.Sample(7, size/160)
	uploaded := c.uploadUntilFull(big)
	if uploaded < 40 {
		t.Errorf("%d MiB: refused after %d uploads", size>>20, uploaded)
	}
	c.wantUpload("newcomer", big, 503)
	wantExcept(t, c, "uploads")
	fillUp(t, filler)
	c.wantUpload(userName(0), picture.Sample(1, 3000), 503) // a replacement takes room, too, before it gives any
	wantBackup(t, c)
	removeBig := func(from, to int) { t.Helper(); c.removeBig(from, to, filler) }
	removeBig(0, uploaded/4)
	c.check("on a full disk")
	for i, end := range []func(){c.server.kill, func() { c.client.Close(); c.server.stop() }} {
		end()
		fillUp(t, filler)
		c.start()
		fillUp(t, filler)
		c.check("after a start on a full disk")
		removeBig(uploaded*(i+1)/4, uploaded*(i+2)/4)
	}
	for user := range crowdSize / 2 {
		if status := c.remove(userName(user)); status != 200 {
			t.Errorf("delete of user %d on a full disk = %d", user, status)
		}
	}
	wantExcept(t, c, "uploads")
	c.check("on a full disk")
	c.server.kill()
	fillUp(t, filler)
	fresh := filepath.Join(room, "fresh")
	startProcess(t, nil, c.argsOn(fresh)...).wantRefusal("first start on a full disk", cli.ExitFailed,
		fresh, "no space left on device", "make room, then start again")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.check("after a start with room")
	for user := uploaded * 3 / 4; user < uploaded; user++ {
		if status := c.remove(fmt.Sprint("big-", user)); status != 200 {
			t.Errorf("delete of big-%d with room = %d", user, status)
		}
	}
	c.wantUpload("newcomer", big, 200)
	wantReady(t, c, "ok\n")
	c.check("with room again")
	c.server.stop()
	second := startProcess(t, nil, c.argsOn(fresh)...) // what failed has left nothing in the way
	second.serving()
	second.stop()
}

// wantReady demands what /readyz says in a 200.
func wantReady(t *testing.T, c *crowd, want string) {
	t.Helper()
	if status, body := call(t, "GET", c.client.URL+"/readyz", ""); status != 200 || body != want {
		t.Errorf("/readyz = %d %q, want 200 %q", status, body, want)
	}
}

// wantExcept demands that the server is ready but for a part.
func wantExcept(t *testing.T, c *crowd, part string) {
	t.Helper()
	wantReady(t, c, "ok, except: "+part+"\n")
}

// wantBackup makes a backup of a server whose own disk is full, on another one.
func wantBackup(t *testing.T, c *crowd) {
	t.Helper()
	startProcess(t, nil, "backup", filepath.Join(t.TempDir(), "backup"), "--data", c.dir).wantEnd("backup of a server whose disk is full", cli.ExitOK)
}

// A limit to the size of files is like a full disk that takes nothing at all, and no reason to end.
func TestFileSizeLimit(t *testing.T) {
	becomeProgram()
	c := newCrowd(t, filepath.Join(t.TempDir(), "data"))
	limitFiles(t, c.server.cmd.Process.Pid, 1)
	c.wantUpload("newcomer", picture.Sample(7, 200_000), 503)
	if status := c.remove(userName(0)); status != 503 {
		t.Errorf("a delete without a byte of room = %d, want 503", status)
	}
	wantNotReady(t, c, "file too large")
	c.check("at the limit")
	limitFiles(t, c.server.cmd.Process.Pid, ^uint64(0))
	if status := c.remove(userName(0)); status != 200 {
		t.Errorf("a delete with room again = %d, want 200", status)
	}
	c.wantUpload("newcomer", picture.Sample(7, 200_000), 200)
	wantStatus(t, 200, "GET", c.client.URL+"/readyz", "")
	c.server.kill()
	c.start()
	c.check("after a restart")
	c.client.Close()
	c.server.stop()

	// Started where not a byte can be written, not even its own process id: what is there is served.
	c.server = startProcess(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 0 && exec "$0" "$@"`}, cmd.Args...)
		cmd.Path = Program(t, "sh")
	}, c.argsOn(c.dir)...)
	c.client = newCaller(t, c.server.serving())
	c.check("started at the limit")
	if status := c.remove(userName(1)); status != 503 {
		t.Errorf("a delete without a byte of room = %d, want 503", status)
	}
	second := startProcess(t, nil, c.argsOn(c.dir)...)
	second.wantRefusal("a second one", cli.ExitInUse, "in use by another process\n") // no id is better than a wrong one
	c.client.Close()
	c.server.stop()
}

// removeBig deletes the large pictures from one number up to another, on a disk that filler keeps full.
func (c *crowd) removeBig(from, to int, filler string) {
	c.t.Helper()
	for user := from; user < to; user++ {
		name := fmt.Sprint("big-", user)
		if c.read(name) == nil {
			c.t.Errorf("%s is lost", name)
		}
		if status := c.remove(name); status != 200 {
			c.t.Fatalf("delete of %s on a full disk = %d\n%s", name, status, c.server.out)
		}
		if user%8 == 0 { // what deleted pictures leave is somebody else's
			fillUp(c.t, filler)
		}
	}
}

// uploadUntilFull uploads a picture for one user after the other until the disk is full, and returns for how many.
func (c *crowd) uploadUntilFull(big []byte) (uploaded int) {
	c.t.Helper()
	for ; c.client.upload(c.t, c.portrait(fmt.Sprint("big-", uploaded)), c.token, big).Status == 200; uploaded++ {
		if uploaded > 1000 {
			c.t.Fatal("uploads are never refused")
		}
	}
	return uploaded
}
