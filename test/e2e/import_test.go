//go:build unix

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/server/picture"
)

// importing is a directory that is imported into dev again and again.
type importing struct {
	t       *testing.T
	dir     string
	environ []string
	args    []string
}

// run imports and returns the reasons by file, and the summary.
func (im *importing) run(code int, args ...string) (reasons map[string]bulkimport.Reason, sum bulkimport.Summary) {
	im.t.Helper()
	out, errOut, got := callCommand(im.t, im.environ, nil, append(append([]string{"import", im.dir, "--json"}, im.args...), args...)...)
	if got != code {
		im.t.Errorf("import %q: exit code %d, want %d: %s", args, got, code, errOut)
	}
	reasons = map[string]bulkimport.Reason{}
	for line := range strings.Lines(out) {
		var told struct {
			bulkimport.Refusal
			Summary *bulkimport.Summary
		}
		if err := json.Unmarshal([]byte(line), &told); err != nil {
			im.t.Fatalf("%v: %s", err, line)
		}
		if told.Summary != nil {
			sum = *told.Summary
			continue
		}
		reasons[told.Name] = told.Reason
	}
	return reasons, sum
}

func (im *importing) put(name string, data []byte) {
	im.t.Helper()
	if err := os.WriteFile(filepath.Join(im.dir, name), data, 0o600); err != nil {
		im.t.Fatal(err)
	}
}

func (im *importing) want(title string, sum, want bulkimport.Summary) {
	im.t.Helper()
	if diff := cmp.Diff(want, sum); diff != "" {
		im.t.Errorf("%s (-want +got):\n%s", title, diff)
	}
}

// An import tells of each file that it leaves out, goes on where it was, and brings nothing back that was deleted since.
func TestImport(t *testing.T) {
	t.Parallel()
	data, home := t.TempDir(), t.TempDir()
	_, env := startDev(t, "--data", data)
	dir := t.TempDir()
	im := &importing{t: t, dir: dir, args: []string{"--org", env["ORG_ACME"]},
		environ: []string{"AVATARD_URL=" + env["AVATARD_URL"], "AVATARD_TOKEN=" + env["TOKEN_MANAGER"], "HOME=" + home}}
	im.put(env["USER_BOB"]+".png", picture.Sample(1, 3000))
	im.put(env["USER_ERIN"]+".JPG", picture.Sample(2, 3000)) // its content counts
	im.put(env["USER_ALICE"]+".png", picture.Sample(3, 3000))
	im.put("newcomer.png", picture.Sample(4, 3000))
	im.put("text.png", []byte("no picture"))
	im.put("large.png", make([]byte, 1<<20))
	im.put("notes.txt", []byte("x"))
	if err := os.Symlink(filepath.Join(home, "x"), filepath.Join(im.dir, "link.png")); err != nil {
		t.Fatal(err)
	}

	reasons, sum := im.run(7)
	if diff := cmp.Diff(map[string]bulkimport.Reason{env["USER_ALICE"] + ".png": "has-picture", "newcomer.png": "user", "text.png": "picture", "large.png": "too-large",
		"notes.txt": "name", "link.png": "not-a-file"}, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	im.want("first", sum, bulkimport.Summary{Items: 8, Imported: 2, Refused: 6})
	wantStatus(t, 200, "GET", avatarURL(env, "ORG_ACME", "USER_BOB"), "")

	// Users who are not registered are, where that is asked for; what was imported is not looked at again, even if it was deleted.
	wantStatus(t, 200, "DELETE", removalURL(env, "USER_BOB"), env["TOKEN_MANAGER"])
	_, sum = im.run(7, "--register", "--data", data)
	im.want("registering", sum, bulkimport.Summary{Items: 8, Imported: 1, Before: 2, Refused: 5})
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_BOB"), "")

	// A picture is replaced where that is asked for, once.
	_, sum = im.run(7, "--replace")
	im.want("replacing", sum, bulkimport.Summary{Items: 8, Imported: 1, Before: 3, Refused: 4})

	// Without the journal the server's own pictures tell what is there.
	for _, name := range []string{"text.png", "large.png", "notes.txt", "link.png", env["USER_BOB"] + ".png"} {
		if err := os.Remove(filepath.Join(im.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	_, sum = im.run(0, "--journal", filepath.Join(home, "other"))
	im.want("without the journal", sum, bulkimport.Summary{Items: 3, There: 3})
	_, sum = im.run(0, "--journal", filepath.Join(home, "other"))
	im.want("with its successor", sum, bulkimport.Summary{Items: 3, Before: 3})

	// What was imported and deleted since stays deleted, whatever became of the file, and by whatever way the directory is reached.
	newcomer := env["AVATARD_URL"] + "/assets/v1/" + env["ORG_ACME"] + "/users/newcomer/avatar"
	wantStatus(t, 200, "DELETE", env["AVATARD_URL"]+"/management/v1/users/newcomer/avatar", env["TOKEN_MANAGER"])
	im.dir = filepath.Join(home, "pictures")
	if err := os.Symlink(dir, im.dir); err != nil {
		t.Fatal(err)
	}
	_, sum = im.run(0)
	im.want("through a link", sum, bulkimport.Summary{Items: 3, Before: 3})
	im.put("newcomer.png", append(picture.Sample(4, 3000), 0))
	reasons, sum = im.run(7)
	im.want("a file that changed", sum, bulkimport.Summary{Items: 3, Before: 2, Refused: 1})
	if reasons["newcomer.png"] != "changed" {
		t.Errorf("a file that changed: %q", reasons["newcomer.png"])
	}
	wantStatus(t, 404, "GET", newcomer, "")
	_, sum = im.run(0, "--replace")
	im.want("a file that changed, replacing", sum, bulkimport.Summary{Items: 3, Imported: 1, Before: 2})
	wantStatus(t, 200, "GET", newcomer, "")
}

// What would meet every file ends an import at once, and says that the same command goes on.
func TestImportThatCannotGoOn(t *testing.T) {
	t.Parallel()
	_, env := startDev(t)
	dir, home := t.TempDir(), t.TempDir()
	for _, user := range []string{"USER_BOB", "USER_ERIN"} {
		if err := os.WriteFile(filepath.Join(dir, env[user]+".png"), picture.Sample(1, 3000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		title, url, token, home string
		args                    string
		code                    int
		text                    string
	}{
		{"no right", env["AVATARD_URL"], env["TOKEN_VIEWER"], home, "", 5, "the same command goes on"},
		{"nobody there", "http://127.0.0.1:1", env["TOKEN_MANAGER"], home, "", 8, "the same command goes on"},
		{"an address that is not avatard's", env["AVATARD_URL"] + "/typo", env["TOKEN_MANAGER"], home, "", 1, "no such route; is that the address of avatard?; the same command goes on"},
		{"no organisation of that id", env["AVATARD_URL"], env["TOKEN_MANAGER"], home, "--org nowhere", 5, "AUTH-Bs7Ds"},
		{"no place for the journal", env["AVATARD_URL"], env["TOKEN_MANAGER"], "", "", 2, "--journal"},
		{"no number", env["AVATARD_URL"], env["TOKEN_MANAGER"], home, "--parallel many", 2, "--parallel"},
		{"a new organisation without registering", env["AVATARD_URL"], env["TOKEN_MANAGER"], home, "--new-org", 2, "--register"},
		{"registering without a server", env["AVATARD_URL"], env["TOKEN_MANAGER"], home, "--register --new-org --data " + t.TempDir(), 1, "no server runs"},
	} {
		args := append([]string{"import", dir, "--org", env["ORG_ACME"]}, strings.Fields(row.args)...)
		out, errOut, code := callCommand(t, []string{"AVATARD_URL=" + row.url, "AVATARD_TOKEN=" + row.token, "HOME=" + row.home}, nil, args...)
		if code != row.code || !strings.Contains(errOut, row.text) || strings.Contains(out+errOut, row.token) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", row.title, code, row.code, row.text, out, errOut)
		}
	}
	wantStatus(t, 404, "GET", avatarURL(env, "ORG_ACME", "USER_BOB"), "")
	if out, errOut, code := callCommand(t, []string{"AVATARD_URL=" + env["AVATARD_URL"], "AVATARD_TOKEN=" + env["TOKEN_MANAGER"], "HOME=" + home}, nil,
		"import", dir, "--org", env["ORG_ACME"]); code != 0 || out != "2 files: 2 imported, 0 imported before, 0 there already, 0 refused\n" {
		t.Errorf("plain: %d, %s%s", code, out, errOut)
	}
}
