package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"avatard/server/picture"
)

// fill takes all room of a file system but so many bytes.
func fill(t *testing.T, path string, leave int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
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

// A really full disk: uploads and deletes say 503 or are done, nothing acknowledged is lost, and when there is room again all
// goes on by itself. A start without room says so.
func TestFullDisk(t *testing.T) {
	becomeProgram()
	if !withMounts(t) {
		return
	}
	room := mountRoom(t, 2<<20)
	filler := filepath.Join(room, "filler")
	c := newCrowd(t, filepath.Join(room, "data"))

	fill(t, filler, 160<<10)
	c.wantUpload("newcomer", picture.Sample(7, 200_000), 503)
	wantNotReady(t, c, "the slab cannot grow")
	if status := c.remove(userName(0)); status != 200 { // the upload has not taken what deletes need
		t.Errorf("a delete while there is no room for an upload = %d, want 200", status)
	}
	fill(t, filler, 0)
	refused := 0
	for user := 1; user < 6; user++ {
		if c.remove(userName(user)) == 503 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("all deletes went through: the disk is not full")
	}
	wantNotReady(t, c, "no space left on device")
	c.server.kill()

	c.start() // what is there can be read all the same
	c.check("after a restart on a full disk")
	c.server.kill()
	fill(t, filler, 0) // the start has emptied the log
	fresh := filepath.Join(room, "fresh")
	startProcess(t, nil, c.argsOn(fresh)...).wantRefusal("first start on a full disk", exitFailed,
		fresh, "no space left on device", "make room, then start again")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.check("after a restart with room")
	fill(t, filler, 0)
	for user := 6; c.remove(userName(user)) != 503; user++ {
	}
	c.check("on a full disk")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for user := range 10 {
		if status := c.remove(userName(user)); status != 200 {
			t.Errorf("delete of user %d with room = %d", user, status)
		}
	}
	c.wantUpload("newcomer", picture.Sample(7, 200_000), 200)
	wantStatus(t, 200, "GET", c.client.url+"/readyz", "")
	c.check("with room again")
	c.server.stop()
	second := startProcess(t, nil, c.argsOn(fresh)...) // what failed has left nothing in the way
	second.serving()
	second.stop()
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
	wantStatus(t, 200, "GET", c.client.url+"/readyz", "")
	c.server.kill()
	c.start()
	c.check("after a restart")
	c.client.close()
	c.server.stop()

	// Started where not a byte can be written, not even its own process id: what is there is served.
	c.server = startProcess(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", `ulimit -f 0 && exec "$0" "$@"`}, cmd.Args...)
		cmd.Path = program(t, "sh")
	}, c.argsOn(c.dir)...)
	c.client = newRemover(t, c.server.serving())
	c.check("started at the limit")
	if status := c.remove(userName(1)); status != 503 {
		t.Errorf("a delete without a byte of room = %d, want 503", status)
	}
	second := startProcess(t, nil, c.argsOn(c.dir)...)
	second.wantRefusal("a second one", exitInUse, "in use by another process\n") // no id is better than a wrong one
	c.client.close()
	c.server.stop()
}
