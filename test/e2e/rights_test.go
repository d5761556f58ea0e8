//go:build unix

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/cli"
)

// nobodyID is the user that the program runs as where the test's own may do everything.
const nobodyID = 65534

// ordinary makes a program run as a user whom the modes of files stop.
func ordinary(cmd *exec.Cmd) {
	if os.Geteuid() == 0 {
		cmd.Env = append(cmd.Env, programUser+"="+strconv.Itoa(nobodyID))
	}
}

// ordinaryData makes a data directory with a picture that belongs to that user, as a killed server leaves it.
func ordinaryData(t *testing.T) string {
	t.Helper()
	served := filepath.Join(t.TempDir(), "data")
	store := openStore(t, served) // and not closed before the copy is made
	if _, err := store.AddOrganization(t.Context(), devidp.OrgAcme, admin.CommandLine); err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	dir := filepath.Join(top, "data")
	if err := os.CopyFS(dir, os.DirFS(served)); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{filepath.Dir(top), top} { // the way there is the test's own
		if err := os.Chmod(way, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		mode := os.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		if err == nil {
			err = os.Chmod(path, mode)
		}
		if err == nil && os.Geteuid() == 0 {
			err = os.Chown(path, nobodyID, nobodyID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func serveArgs(t *testing.T, dir string) []string {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data", dir}
	for name, value := range providerless(t) {
		name = strings.ToLower(strings.TrimPrefix(name, "AVATARD_"))
		args = append(args, "--"+strings.ReplaceAll(name, "_", "-"), value)
	}
	return args
}

// The error names files that the program may not read or write, and the user it runs as. Nothing is made anew, and once the rights are
// back everything is there.
func TestMissingRights(t *testing.T) {
	becomeProgram()
	for _, tt := range []struct {
		name string // of the file, "" = the directory
		mode os.FileMode
	}{
		{"", 0o500}, {"", 0o000}, {"avatard.db", 0o400}, {"avatard.db", 0o000}, {"avatard.db-wal", 0o400},
		{"pictures.slab", 0o400}, {"pictures.slab", 0o000}, {"lock", 0o000},
	} {
		t.Run(fmt.Sprintf("%s %04o", tt.name, tt.mode), func(t *testing.T) {
			dir := ordinaryData(t)
			path := filepath.Join(dir, tt.name)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			who := fmt.Sprintf("(user id %d) has to be able to read and write", os.Geteuid())
			if os.Geteuid() == 0 {
				who = fmt.Sprintf("(user id %d) has to be able to read and write", nobodyID)
			}
			for _, args := range [][]string{serveArgs(t, dir), {"org", "add", "acme", "--data", dir}, {"migrate", "--data", dir}} {
				startProcess(t, ordinary, args...).wantRefusal(args[0], cli.ExitFailed, path, "permission denied", who)
			}
			if err := os.Chmod(path, info.Mode()); err != nil {
				t.Fatal(err)
			}
			srv := startProcess(t, ordinary, serveArgs(t, dir)...)
			wantStatus(t, 200, "GET", srv.serving()+"/readyz", "")
			known := startProcess(t, ordinary, "org", "add", devidp.OrgAcme, "--data", dir)
			known.wantEnd("org add", cli.ExitOK, "already there")
			srv.stop()
		})
	}
}

// What others may read is named in the log, and served all the same.
func TestWideRights(t *testing.T) {
	becomeProgram()
	dir := ordinaryData(t)
	srv := startProcess(t, ordinary, serveArgs(t, dir)...)
	srv.serving()
	srv.stop()
	if strings.Contains(srv.out.String(), "take their rights away") {
		t.Errorf("a directory for its owner only brings a warning:\n%s", srv.out)
	}
	wide := map[string]os.FileMode{"": 0o755, "avatard.db": 0o644, "pictures.slab": 0o640}
	for name, mode := range wide {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	srv = startProcess(t, ordinary, serveArgs(t, dir)...)
	srv.serving()
	srv.stop()
	for name, mode := range wide {
		if want := fmt.Sprintf("path=%s mode=%04o", filepath.Join(dir, name), mode); !strings.Contains(srv.out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, srv.out)
		}
	}
}

// What an administrator does beside a stopped server leaves nothing that the server's user cannot use, and a warning says
// that it was close.
func TestAdministratorOnAnotherUsersData(t *testing.T) {
	becomeProgram()
	if os.Geteuid() != 0 {
		t.Log("only an administrator can be another user: the part that needs one was left out")
		return
	}
	dir := ordinaryData(t)
	startProcess(t, nil, "org", "add", "globex", "--data", dir).wantEnd("org add", cli.ExitOK, "organisation globex added")
	killed := startProcess(t, nil, serveArgs(t, dir)...)
	wantStatus(t, 200, "GET", killed.serving()+"/readyz", "")
	if !strings.Contains(killed.out.String(), fmt.Sprintf("path=%s owner_uid=%d uid=0", dir, nobodyID)) {
		t.Errorf("the log does not say whose the directory is:\n%s", killed.out)
	}
	killed.kill()
	srv := startProcess(t, ordinary, serveArgs(t, dir)...)
	wantStatus(t, 200, "GET", srv.serving()+"/readyz", "")
	startProcess(t, ordinary, "org", "add", "globex", "--data", dir).wantEnd("org add", cli.ExitOK, "already there")
	srv.stop()
}
