//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.org/avatard/authz/devidp"
)

// serveArgsOf are the arguments of a serve with a provider.
func serveArgsOf(p *faultyProvider, dir string, more ...string) []string {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", dir}
	for name, value := range p.Settings() {
		if name, setting := strings.CutPrefix(name, "AVATARD_"); setting {
			args = append(args, "--"+strings.ReplaceAll(strings.ToLower(name), "_", "-"), value)
		}
	}
	return append(args, more...)
}

// auditLines reads what the stream wrote, as action, refusal and user.
func auditLines(t *testing.T, file string) (lines []string) {
	t.Helper()
	for text := range strings.Lines(string(readFile(t, file))) {
		var r struct{ Action, Refused, User, Caller, Request string }
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.Caller == "" {
			t.Fatalf("%q: %v, want a record with its caller", text, err)
		}
		lines = append(lines, strings.Join([]string{r.Action, r.Refused, r.User}, " "))
	}
	return lines
}

// The audit stream has changes by calls and by commands, and refusals, in the file that was there before SIGHUP and in the one after it.
func TestAuditStream(t *testing.T) {
	becomeProgram()
	t.Parallel()
	provider := newProvider(t, nil)
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "audit.json")
	registerWithPicture(t, data, provider.Issuer, devidp.UserAlice)
	p := startProcess(t, nil, serveArgsOf(provider, data, "--audit-stream", file)...)
	url, manager := p.serving(), provider.mint(t, managerID)
	wantStatus(t, 200, "DELETE", url+portrait(devidp.UserAlice), manager)
	wantOutput(t, "user "+devidp.UserBob+" added\n", "user", "add", devidp.UserBob, "--org", devidp.OrgAcme, "--data", data)
	moved := file + ".1"
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP, "audit stream opened again")
	wantStatus(t, 404, "DELETE", url+portrait(devidp.UserBob), provider.mint(t, devidp.UserAlice))
	p.stop()
	all := append(auditLines(t, moved), auditLines(t, file)...)
	want := []string{"remove  " + devidp.UserAlice, "user-add  " + devidp.UserBob, "DELETE /management/v1/users/{user_id}/avatar not_found AUTHZ-cdgFk "}
	if strings.Join(all, "\n") != strings.Join(want, "\n") {
		t.Errorf("the stream says\n%s\nwant\n%s", strings.Join(all, "\n"), strings.Join(want, "\n"))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v, %v; want 0600", info.Mode(), err)
	}
}

// An audit stream on a full disk stops no call: readiness, log and metric tell of it.
func TestAuditStreamOnAFullDisk(t *testing.T) {
	becomeProgram()
	t.Parallel()
	provider := newProvider(t, nil)
	data := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, data, provider.Issuer, devidp.UserAlice)
	p := startProcess(t, nil, serveArgsOf(provider, data, "--audit-stream", "/dev/full")...)
	url := p.serving()
	p.out.expect("the audit stream does not take lines")
	wantStatus(t, 200, "DELETE", url+portrait(devidp.UserAlice), provider.mint(t, managerID))
	<-p.out.seen
	if _, text := call(t, "GET", url+"/readyz", ""); text != "ok, except: audit stream\n" {
		t.Errorf("/readyz says %q", text)
	}
	p.stop()
}

// smallPipe returns a pipe that holds one page. Nobody reads it unless the test does.
func smallPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	const setPipeSize = 1031 // F_SETPIPE_SZ
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), setPipeSize, uintptr(os.Getpagesize())); errno != 0 {
		t.Fatal(errno)
	}
	return r, w
}

// Collectors of the log and of the audit stream that have stopped reading stop nothing else: calls, readiness, SIGHUP and the end go on.
func TestCollectorsThatStop(t *testing.T) {
	becomeProgram()
	t.Parallel()
	provider := newProvider(t, nil)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	registerWithPicture(t, data, provider.Issuer, devidp.UserAlice)
	_, stdout := smallPipe(t)
	log, stderr := smallPipe(t)
	p := startProcess(t, func(c *exec.Cmd) { c.Stdout, c.Stderr = stdout, stderr }, serveArgsOf(provider, data, "--audit-stream", "-")...)
	_ = stdout.Close()
	_ = stderr.Close()
	for lines := bufio.NewScanner(log); ; {
		if !lines.Scan() {
			t.Fatal("the server ended before it was ready")
		}
		if p.out.Write([]byte(lines.Text() + "\n")); strings.Contains(lines.Text(), serveReady) {
			break
		}
	}
	url, manager := p.serving(), provider.mint(t, managerID)
	for range 100 {
		wantStatus(t, 200, "DELETE", url+portrait(devidp.UserAlice), manager)
	}
	wantStatus(t, 200, "GET", url+"/readyz", "")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, 200, "GET", url+"/readyz", "")
	p.stop()
}
