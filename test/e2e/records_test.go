//go:build unix

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
	"example.org/avatard/storage"
)

// Receipts and the trail are the same beside a server and without one, over several pages.
func TestRecordsBesideAServerAndWithout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	data := "--data=" + dir
	for _, command := range [][]string{{"receipts", "list"}, {"receipts", "show", strings.Repeat("0", 32)}, {"receipts", "export", "-"}, {"audit"}, {"erase", "org", "acme", "--dry-run"}} {
		wantFailure(t, "there is no database in ", append(command, data)...)
	}
	store, stop := startAdmin(t, dir)
	for range storage.MaxPage + 50 { // each but the first leaves a receipt
		putFor(t, store, "alice", 10)
	}
	putFor(t, store, "bob", 10)
	wantOutput(t, "organisation acme would be removed with 2 users, and 2 pictures erased; nothing was changed\n", "erase", "org", "acme", "--dry-run", data)
	wantOutput(t, "user bob of organisation acme would be removed, and the picture erased; nothing was changed\n", "erase", "user", "bob", "--dry-run", data)
	out, err := runCommand(t, "erase", "user", "bob", "--org=acme", data)
	if err != nil || !strings.HasPrefix(out, "user bob removed; the picture is erased, receipt ") {
		t.Errorf("erase user bob prints %q, %v", out, err)
	}
	receipt := strings.TrimSpace(strings.TrimPrefix(out, "user bob removed; the picture is erased, receipt "))
	file := filepath.Join(t.TempDir(), "receipts")
	commands := [][]string{{"receipts", "list"}, {"receipts", "list", "--json"}, {"receipts", "list", "--user=bob", "--json"}, {"receipts", "export", "-", "--org=acme"},
		{"receipts", "show", receipt}, {"receipts", "show", receipt, "--json"}, {"receipts", "export", file, "--force"}, {"audit"}, {"audit", "--format=csv"}, {"audit", "--json", "--user=bob"}}
	counts := []int{storage.MaxPage + 50, storage.MaxPage + 50, 1, storage.MaxPage + 50, 8, 1, 1, storage.MaxPage + 55, storage.MaxPage + 56, 4}
	var beside []string
	for i, command := range commands {
		out, err := runCommand(t, append(command, data)...)
		if n := strings.Count(out, "\n"); err != nil || n != counts[i] {
			t.Errorf("%v has %d lines, %v, want %d", command, n, err, counts[i])
		}
		beside = append(beside, out)
	}
	if !strings.Contains(beside[4], "A picture of user bob was erased for good.\n") || !strings.Contains(beside[4], `by            "command line"`) {
		t.Errorf("receipts show prints %q", beside[4])
	}
	wantFailure(t, "no receipt "+strings.Repeat("0", 32)+" is on record", "receipts", "show", strings.Repeat("0", 32), data)
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for i, command := range commands {
		wantOutput(t, beside[i], append(command, data)...)
	}
	wantFailure(t, "no receipt "+strings.Repeat("0", 32)+" is on record", "receipts", "show", strings.Repeat("0", 32), data)
	wantOutput(t, "organisation acme removed with 1 user; 1 picture erased\n", "erase", "org", "acme", data)
}

// An interrupt ends what follows the trail of a running server, as it is to end, and nobody but the reader's end ends what is written to it.
func TestAuditFollowsAServer(t *testing.T) {
	becomeProgram()
	dir := filepath.Join(t.TempDir(), "data")
	store, stop := startAdmin(t, dir)
	defer stop()
	putFor(t, store, "alice", 10)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := startProcess(t, nil, "audit", "--follow", "--action=upload", "--data", dir)
		p.out.await("  upload  by \"command line\"  user alice  organisation acme\n")
		user := fmt.Sprint("user", int(s))
		p.out.expect("  user " + user + "  organisation acme\n")
		putFor(t, store, user, 10)
		<-p.out.seen
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		p.wantEnd("audit --follow", cli.ExitOK)
	}
	putFor(t, store, "alice", 20) // the one before leaves a receipt
	r, w := pipe(t)
	r.Close()
	startProcess(t, func(c *exec.Cmd) { c.Stdout = w }, "receipts", "export", "-", "--data", dir).wantEnd("an export that nobody reads", cli.ExitFailed, "avatard: receipts export: ", "broken pipe")
	p := startProcess(t, func(c *exec.Cmd) { c.Stdout = w }, "audit", "--data", dir)
	<-p.done
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGPIPE {
		t.Errorf("a list that nobody reads ends with %v, want SIGPIPE, as other programs' do", p.cmd.ProcessState)
	}
}

// A trail in which there are names of users that are formulas can be opened in a spreadsheet.
func TestAuditTable(t *testing.T) {
	dir := t.TempDir()
	store, stop := startAdmin(t, dir)
	defer stop()
	const id = `=HYPERLINK("https://evil.example","x")`
	key := storage.UserKey{Issuer: "https://id.example", ID: id}
	if _, _, err := store.AddUser(t.Context(), key, "acme", admin.CommandLine); err != nil {
		t.Fatal(err)
	}
	out, err := runCommand(t, "audit", "--format=csv", "--user="+id, "--data="+dir)
	if err != nil || !strings.Contains(out, `,"'=HYPERLINK(""https://evil.example"",""x"")","acme",`) {
		t.Errorf("audit --format=csv prints %q, %v", out, err)
	}
}

// A follower of a server that stops says so: it does not wait in silence for one that may never come.
func TestAuditFollowsUntilTheServerStops(t *testing.T) {
	dir := t.TempDir()
	store, stop := startAdmin(t, dir)
	putFor(t, store, "alice", 10)
	var out, problems bytes.Buffer
	stopped := 0
	p := &cli.Program{Stdout: &out, Stderr: &problems, Pause: func(context.Context, time.Duration) error {
		if stopped++; stopped == 1 {
			stop()
		}
		return nil
	}}
	code := cli.Report(&problems, p.Run(t.Context(), []string{"audit", "--follow", "--data", dir}))
	if code != cli.ExitFailed || stopped != 1 || !strings.Contains(problems.String(), admin.ErrNoServer.Error()) || !strings.Contains(out.String(), "  upload  by ") {
		t.Errorf("audit --follow = exit code %d behind %d pauses, %q, %q", code, stopped, &out, &problems)
	}
}
