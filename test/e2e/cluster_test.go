package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/cli"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
)

// clusterSettings returns the settings of a new store, as variables.
func clusterSettings(t *testing.T, servers *clustertest.Servers) []string {
	t.Helper()
	made := servers.New(t, true)
	keys := filepath.Join(t.TempDir(), "keys")
	if err := cluster.NewKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	return []string{
		"AVATARD_DATABASE_FILE=" + writeFile(t, "address", made.Database),
		"AVATARD_BUCKET_ENDPOINT=" + servers.Endpoint,
		"AVATARD_BUCKET_REGION=" + clustertest.Region,
		"AVATARD_BUCKET_NAME=" + made.Bucket,
		"AVATARD_BUCKET_ACCESS_KEY=" + clustertest.AccessKey,
		"AVATARD_BUCKET_SECRET_KEY_FILE=" + writeFile(t, "secret", clustertest.SecretKey),
		"AVATARD_BUCKET_KEY_FILE=" + keys,
	}
}

// replicas are servers of one store.
type replicas struct {
	t       *testing.T
	p       *faultyProvider
	environ []string // of the store
	urls    []string
	running []*running
}

func startReplicas(t *testing.T, p *faultyProvider, count int, environ []string) *replicas {
	t.Helper()
	r := &replicas{t: t, p: p, environ: environ}
	all := append([]string{"AVATARD_LISTEN=127.0.0.1:0", "AVATARD_ORGANISATIONS=" + devidp.OrgAcme, "AVATARD_METRICS_LISTEN=127.0.0.1:0"}, environ...)
	for name, value := range r.p.Settings() {
		all = append(all, name+"="+value)
	}
	for range count {
		one := start(t, serveReady, all, "serve")
		r.running, r.urls = append(r.running, one), append(r.urls, servedURL(t, one))
	}
	return r
}

// command runs a command on the store, beside the servers, and demands its exit code and a part of what it prints.
func (r *replicas) command(stdin []byte, code int, part string, args ...string) []byte {
	r.t.Helper()
	return commandOn(r.t, r.environ, stdin, code, part, args...)
}

func commandOn(t *testing.T, environ []string, stdin []byte, code int, part string, args ...string) []byte {
	t.Helper()
	var out, problems bytes.Buffer
	p := &cli.Program{Environ: environ, Stdin: bytes.NewReader(stdin), Stdout: &out, Stderr: &problems}
	if got := cli.Report(&problems, p.Run(t.Context(), args)); got != code || !strings.Contains(out.String()+problems.String(), part) {
		t.Errorf("%v = exit code %d, %q, %q, want %d and %q", args, got, out.String(), problems.String(), code, part)
	}
	return out.Bytes()
}

// Two servers on one database and one bucket are one service: what is uploaded at one is read and deleted at the other, in every wire form, and every
// command works beside them as it does on a directory.
func TestReplicasOfACluster(t *testing.T) {
	servers := clustertest.StartFor(t)
	environ := clusterSettings(t, servers)
	commandOn(t, environ, nil, cli.ExitFailed, "there is no", "fsck")
	r := startReplicas(t, newProvider(t, nil), 2, environ)
	issuer, token := "--issuer="+r.p.Issuer, r.p.Tokens["TOKEN_MANAGER"]
	r.command(nil, cli.ExitOK, "user "+devidp.UserAlice+" added", "user", "add", devidp.UserAlice, "--org="+devidp.OrgAcme, issuer)
	r.command(nil, cli.ExitOK, "user bob added", "user", "add", "bob", "--org="+devidp.OrgAcme, issuer)
	r.command(nil, cli.ExitFailed, "nobody on record has the issuer", "user", "add", "eve", "--org="+devidp.OrgAcme, "--issuer=https://other.example")
	portrait := "/assets/v1/" + devidp.OrgAcme + "/users/" + devidp.UserAlice + "/avatar"
	for i, form := range client.Forms() {
		at, other := r.urls[i%2], r.urls[(i+1)%2]
		if up := newCaller(t, at).Upload(t.Context(), client.Bearer(token), devidp.UserAlice, picture.Sample(uint64(i), 3000)); !up.Acknowledged() {
			t.Fatalf("upload: %v", up)
		}
		wantStatus(t, 200, "GET", at+portrait, "")
		wantStatus(t, 200, "GET", other+portrait, "")
		if got := newCaller(t, other).remove(t, form, token, devidp.UserAlice); !got.Acknowledged() || got.Receipt() == "" {
			t.Errorf("delete over %s at the other server: %v, want a receipt", form, got)
		}
		wantStatus(t, 404, "GET", at+portrait, "")
		wantStatus(t, 404, "GET", other+portrait, "")
	}
	if up := newCaller(t, r.urls[0]).Upload(t.Context(), client.Bearer(token), "bob", picture.Sample(9, 3000)); !up.Acknowledged() {
		t.Fatalf("upload: %v", up)
	}
	for i, url := range r.urls {
		wantStatus(t, 200, "GET", url+"/readyz", "")
		wantMetricsWithoutASlab(t, r.running[i])
	}
	r.wantCommands(servers)
	for _, one := range r.running {
		one.stop()
		for _, secret := range []string{clustertest.SecretKey, token} {
			if strings.Contains(one.out.String(), secret) {
				t.Errorf("a secret is in the output:\n%s", one.out)
			}
		}
	}
}

// wantCommands runs every other command beside the servers, which have deleted a picture of alice in each form and have one of bob.
func (r *replicas) wantCommands(servers *clustertest.Servers) {
	r.t.Helper()
	r.command(nil, cli.ExitOK, ": clean", "fsck")
	r.command(nil, cli.ExitOK, "is the newest", "migrate")
	r.command(nil, cli.ExitOK, devidp.OrgAcme, "org", "list")
	wantThereAndBack(r.t, servers, r, len(client.Forms()))
	bob := "/assets/v1/" + devidp.OrgAcme + "/users/bob/avatar"
	wantStatus(r.t, 200, "GET", r.urls[1]+bob, "")
	r.command(nil, cli.ExitOK, "user bob of organisation "+devidp.OrgAcme+" would be removed, and the picture erased", "erase", "user", "bob", "--dry-run")
	r.command(nil, cli.ExitOK, "user bob removed", "erase", "user", "bob", "--issuer="+r.p.Issuer)
	r.command(nil, cli.ExitOK, `"user":"bob","issuer":"`+r.p.Issuer+`"`, "receipts", "list", "--user=bob", "--json", "--issuer="+r.p.Issuer)
	r.command(nil, cli.ExitOK, `"reason":"removed"`, "receipts", "export", "-", "--org="+devidp.OrgAcme)
	r.command(nil, cli.ExitOK, "  user-erase  by \"command line\"  user bob  ", "audit", "--action=user-erase")
	wantStatus(r.t, 404, "GET", r.urls[1]+bob, "")
	r.command(nil, cli.ExitOK, "moved", "issuer", "move", r.p.Issuer, "https://new.example")
	r.command(nil, cli.ExitOK, "organisation "+devidp.OrgAcme+" removed with 1 user", "org", "remove", devidp.OrgAcme)
}

// wantMetricsWithoutASlab demands what every engine shows of itself, and nothing that only the embedded one has.
func wantMetricsWithoutASlab(t *testing.T, one *running) {
	t.Helper()
	_, rest, _ := strings.Cut(one.out.String(), `msg="showing metrics" address=`)
	status, body := call(t, "GET", "http://"+strings.Fields(rest)[0]+"/metrics", "")
	if status != 200 || !strings.Contains(body, "avatard_erasures_total") || strings.Contains(body, "avatard_storage_slab") || strings.Contains(body, `"slab"`) || strings.Contains(body, "avatard_storage_slots") {
		t.Errorf("/metrics = %d, want erasures and nothing of a slab:\n%s", status, body)
	}
}

// wantThereAndBack moves what the store holds into a directory, and from there into another cluster, as "backup - | restore -" does.
func wantThereAndBack(t *testing.T, servers *clustertest.Servers, r *replicas, receipts int) {
	t.Helper()
	whole := r.command(nil, cli.ExitOK, "", "backup", "-")
	r.command(whole, cli.ExitFailed, "there is a store already", "restore", "-")
	dir := []string{"AVATARD_DATA=" + filepath.Join(t.TempDir(), "directory")}
	commandOn(t, dir, whole, cli.ExitOK, "restored: 2 users, 1 picture", "restore", "-")
	commandOn(t, dir, nil, cli.ExitOK, "1 picture, 2 users and "+strconv.Itoa(receipts)+" receipts"+" checked: clean", "fsck")
	back := commandOn(t, dir, nil, cli.ExitOK, "", "backup", "-")
	second := clusterSettings(t, servers)
	commandOn(t, second, back, cli.ExitOK, "restored: 2 users, 1 picture", "restore", "-")
	commandOn(t, second, nil, cli.ExitOK, "1 picture, 2 users and "+strconv.Itoa(receipts)+" receipts"+" checked: clean", "fsck")
	again := startReplicas(t, r.p, 1, second)
	wantStatus(t, 200, "GET", again.urls[0]+"/assets/v1/"+devidp.OrgAcme+"/users/bob/avatar", "")
	wantStatus(t, 404, "GET", again.urls[0]+"/assets/v1/"+devidp.OrgAcme+"/users/"+devidp.UserAlice+"/avatar", "")
}

// What is wrong with a cluster is told before anything listens, by the exit code and in words.
func TestServeOfAClusterThatIsNotOne(t *testing.T) {
	servers := clustertest.StartFor(t)
	identity := []string{"--listen=127.0.0.1:0", "--issuer=https://id.example", "--audience=a", "--client-id=c", "--client-secret=s"}
	serve := func(environ []string, code int, part string, args ...string) {
		t.Helper()
		commandOn(t, environ, nil, code, part, append(append([]string{"serve"}, identity...), args...)...)
	}
	environ := clusterSettings(t, servers)
	serve(nil, cli.ExitUsage, "bucket.endpoint: is not set", "--database=host=x")
	serve(environ, cli.ExitUsage, "bucket.key_file", "--bucket-key-file="+filepath.Join(t.TempDir(), "none"))
	serve(environ, cli.ExitFailed, "bucket", "--bucket-name=nowhere")
	open := writeFile(t, "keys", "a "+strings.Repeat("A", 43)+"=\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	serve(environ, cli.ExitFailed, "expected 0600", "--bucket-key-file="+open)
}
