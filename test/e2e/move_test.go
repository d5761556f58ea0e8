package e2e

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
)

// moveServing runs a server that moves data to where the settings say, and returns its address when the move has ended.
func moveServing(t *testing.T, p *faultyProvider, from string, environ []string) (one *running, url string) {
	t.Helper()
	all := append([]string{"AVATARD_LISTEN=127.0.0.1:0", "AVATARD_ORGANISATIONS=" + devidp.OrgAcme}, environ...)
	for name, value := range p.Settings() {
		all = append(all, name+"="+value)
	}
	moved := newTranscript("moved: ")
	one = startFunc(t, serveReady, func(ctx context.Context, out io.Writer) error {
		out = io.MultiWriter(out, moved)
		return run(ctx, []string{"move", "--serve", "--from", from}, all, out, out)
	})
	select {
	case <-moved.seen:
	case <-one.ended:
		t.Fatalf("the command ended: %v\n%s", one.err, one.out)
	}
	return one, servedURL(t, one)
}

// configOf writes the settings of a cluster, which are variables, into a file.
func configOf(t *testing.T, environ []string) string {
	t.Helper()
	var text strings.Builder
	for _, v := range environ {
		name, value, _ := strings.Cut(strings.TrimPrefix(v, "AVATARD_"), "=")
		key := strings.ToLower(name)
		if rest, ok := strings.CutPrefix(key, "bucket_"); ok {
			if !strings.Contains(text.String(), "bucket:") {
				text.WriteString("bucket:\n")
			}
			key = "  " + rest
		}
		fmt.Fprintf(&text, "%s: %q\n", key, value)
	}
	return writeFile(t, "cluster.yaml", text.String())
}

// A directory moves into a database and a bucket while the same command serves it, and afterwards everybody has what they had. The directory
// says where its data is. Then it all goes back into another directory.
func TestMoveThereAndBack(t *testing.T) {
	servers := clustertest.StartFor(t)
	p := newProvider(t, nil)
	token := p.Tokens["TOKEN_MANAGER"]
	dir := filepath.Join(t.TempDir(), "data")
	here := startReplicas(t, p, 1, []string{"AVATARD_DATA=" + dir})
	portrait := func(url, user string) string {
		return url + "/assets/v1/" + devidp.OrgAcme + "/users/" + user + "/avatar"
	}
	for i, user := range []string{devidp.UserAlice, "bob"} {
		here.command(nil, cli.ExitOK, "added", "user", "add", user, "--org="+devidp.OrgAcme, "--issuer="+p.Issuer)
		if up := newCaller(t, here.urls[0]).Upload(t.Context(), client.Bearer(token), user, picture.Sample(uint64(i), 3000)); !up.Acknowledged() {
			t.Fatalf("upload: %v", up)
		}
	}
	_, bob := call(t, "GET", portrait(here.urls[0], "bob"), "")
	there := clusterSettings(t, servers)
	commandOn(t, there, nil, cli.ExitInUse, "move --serve", "move", "--from", dir)
	here.running[0].stop()
	commandOn(t, nil, nil, cli.ExitUsage, "already", "move", "--from", dir, "--data", dir)

	one, url := moveServing(t, p, dir, there)
	if status, body := call(t, "GET", portrait(url, "bob"), ""); status != 200 || body != bob {
		t.Errorf("the picture of bob after the move: %d, want the same as before", status)
	}
	if got := newCaller(t, url).remove(t, client.Forms()[0], token, devidp.UserAlice); !got.Acknowledged() {
		t.Errorf("delete after the move: %v", got)
	}
	if up := newCaller(t, url).Upload(t.Context(), client.Bearer(token), devidp.UserAlice, picture.Sample(7, 3000)); !up.Acknowledged() {
		t.Errorf("upload after the move: %v", up)
	}
	commandOn(t, there, nil, cli.ExitOK, ": clean", "fsck")
	one.stop()
	commandOn(t, there, nil, cli.ExitOK, "nothing to move", "move", "--from", dir)
	commandOn(t, nil, nil, cli.ExitData, "the store was moved to database", "user", "list", "--data", dir)

	back := []string{"AVATARD_DATA=" + filepath.Join(t.TempDir(), "back")}
	file := configOf(t, there)
	serving := back
	for name, value := range p.Settings() {
		serving = append(serving, name+"="+value)
	}
	commandOn(t, serving, nil, cli.ExitFailed, "can only be filled as a whole", "move", "--serve", "--from", file)
	commandOn(t, back, nil, cli.ExitOK, "moved: 2 users and 2 pictures", "move", "--from", file)
	commandOn(t, there, nil, cli.ExitData, "the store was moved to", "user", "list")
	again := startReplicas(t, p, 1, back)
	if status, body := call(t, "GET", portrait(again.urls[0], "bob"), ""); status != 200 || body != bob {
		t.Errorf("the picture of bob after the way back: %d, want the same as before", status)
	}
}
