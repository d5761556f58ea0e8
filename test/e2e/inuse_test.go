//go:build unix

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
)

// A second process on a data directory is refused with a code of its own, whatever it is to do, and the first one does not
// notice.
func TestSecondProcess(t *testing.T) {
	becomeProgram()
	c := newCrowd(t, filepath.Join(t.TempDir(), "data"))
	before := dataFiles(t, c.dir)
	env := filepath.Join(t.TempDir(), "env")
	held := fmt.Sprintf("in use by another process (process %d)", c.server.cmd.Process.Pid)
	dev := []string{"dev", "--listen", "127.0.0.1:0", "--env-file", env, "--data"}
	for _, args := range [][]string{
		c.argsOn(c.dir), append(dev, c.dir), {"migrate", "--data", c.dir}, {"migrate", "--check", "--data", c.dir},
	} {
		startProcess(t, nil, args...).wantRefusal(strings.Join(args[:1], " "), cli.ExitInUse, held)
	}
	// Commands that change data reach it through its socket; without that they are refused like the others.
	startProcess(t, nil, "org", "add", devidp.OrgAcme, "--data", c.dir).wantEnd("org add", cli.ExitOK, "already there")
	if err := os.Remove(filepath.Join(c.dir, admin.SocketName)); err != nil {
		t.Fatal(err)
	}
	startProcess(t, nil, "org", "add", "globex", "--data", c.dir).wantRefusal("org add", cli.ExitInUse, held)
	startProcess(t, nil, "user", "add", "eve", "--org", "globex", "--data", c.dir, "--issuer", c.p.Issuer).
		wantRefusal("user add", cli.ExitInUse, held)
	if after := dataFiles(t, c.dir); after != before {
		t.Errorf("files have changed:\n%s\nbefore:\n%s", after, before)
	}
	c.check("after the others")
	wantStatus(t, 200, "GET", c.client.URL+"/readyz", "")
	if status := c.remove(userName(0)); status != 200 {
		t.Errorf("a delete after the others = %d", status)
	}
	c.client.Close()
	c.server.stop()
}

// dataFiles tells what lies in a data directory beside its lock: names, modes and contents.
func dataFiles(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().IsRegular() && entry.Name() != "lock" {
			data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s %v %d %x\n", entry.Name(), info.Mode(), len(data), sha256.Sum256(data))
		}
	}
	return all.String()
}

// A second dev on the same data leaves the first one's environment file alone.
func TestSecondDev(t *testing.T) {
	becomeProgram()
	dir, env := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "env")
	args := []string{"dev", "--listen", "127.0.0.1:0", "--data", dir, "--env-file", env}
	first := start(t, "is ready", nil, args...)
	before, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	startProcess(t, nil, args...).wantRefusal("second dev", cli.ExitInUse, "in use by another process")
	if after, err := os.ReadFile(env); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the environment file of the first one is now %q, %v", after, err)
	}
	first.stop()
}

// foreignDatabase is the variable that turns a test process into another program that reads a database.
const foreignDatabase = "AVATARD_TEST_FOREIGN_DATABASE"

// becomeForeign begins to read a database and then waits to be killed, in a process that was started for that.
func becomeForeign(t *testing.T) {
	path := os.Getenv(foreignDatabase)
	if path == "" {
		return
	}
	conn, err := sqlite3.Open(path)
	if err == nil {
		err = conn.Exec("BEGIN; SELECT count(*) FROM user")
	}
	if err != nil {
		t.Fatalf("cannot read: %v", err)
	}
	fmt.Println("reading")
	io.Copy(io.Discard, os.Stdin) // to the end of the test that started this
}

// startForeign starts such a program and waits until it reads.
func startForeign(t *testing.T, dir string) (end func()) {
	t.Helper()
	cmd := testCommand(t, t.Name())
	cmd.Env = append(cmd.Env, foreignDatabase+"="+filepath.Join(dir, "avatard.db"))
	out := newTranscript("reading\n")
	cmd.Stdout, cmd.Stderr = out, out
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	end = func() { cmd.Process.Kill(); <-ended }
	t.Cleanup(end)
	select {
	case <-out.seen:
	case <-ended:
		t.Fatalf("the other program: %s", out)
	}
	return end
}

// Another program that reads the database keeps avatard from starting, with a message that says so; nothing is lost, and
// once it is gone, however it went, all goes on. While avatard serves, the other one is kept out.
func TestForeignReader(t *testing.T) {
	becomeProgram()
	becomeForeign(t)
	c := newCrowd(t, filepath.Join(t.TempDir(), "data"))
	for _, ended := range []struct {
		how string
		end func()
	}{{"stopped", func() { c.server.stop() }}, {"killed", func() { c.server.kill() }}} {
		if status := c.remove(userName(len(c.erased))); status != 200 {
			t.Errorf("delete = %d", status)
		}
		c.client.Close()
		ended.end()
		end := startForeign(t, c.dir)
		for _, args := range [][]string{
			c.argsOn(c.dir), {"org", "add", "globex", "--data", c.dir}, {"migrate", "--data", c.dir},
			{"migrate", "--check", "--data", c.dir}, {"dev", "--listen", "127.0.0.1:0", "--env-file", "", "--data", c.dir},
		} {
			startProcess(t, nil, args...).wantRefusal(ended.how+", "+args[0], cli.ExitInUse, "another program has the database open; end it")
		}
		end()
		c.start()
		c.check(ended.how + ", after the other program")
	}
	cmd := testCommand(t, t.Name())
	cmd.Env = append(cmd.Env, foreignDatabase+"="+filepath.Join(c.dir, "avatard.db"))
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "cannot read: sqlite3: database is locked") {
		t.Errorf("another program while avatard serves: %v\n%s", err, out)
	}
	wantStatus(t, http.StatusOK, "GET", c.client.URL+"/readyz", "")
	if status := c.remove(userName(len(c.erased))); status != 200 {
		t.Errorf("a delete beside the other program = %d", status)
	}
	c.check("beside the other program")
	c.server.stop()
}
