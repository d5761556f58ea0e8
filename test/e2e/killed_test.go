//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
)

// killedArgs is the variable that turns a test process into a server that waits to be killed: its command line.
const killedArgs = "KILLED_SERVER_ARGS"

// noPicture stands for a user without a picture among the numbers of pictures.
const noPicture = -1

// A server that is killed while many upload, replace and delete: whatever it had acknowledged is so after the next
// start, and of what it had not answered yet the user has the old or the new state, whole.
func TestKilledWhileServing(t *testing.T) {
	if args := os.Getenv(killedArgs); args != "" {
		os.Unsetenv(killedArgs)
		if err := run(context.Background(), strings.Split(args, "\n"), nil, os.Stdout, os.Stderr); err != nil {
			t.Fatal(err)
		}
		return
	}
	const rounds, users = 8, 16
	p := newProvider(t, nil)
	dir := filepath.Join(t.TempDir(), "data")
	registerWithPicture(t, dir, p.Issuer, devidp.UserAlice) // and acme with her
	k := &killed{t: t, dir: dir, args: []string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--issuer", p.Issuer, "--audience", p.Audience,
		"--client-id", p.Client.ID, "--client-secret", p.Client.Secret, "--users-register-on-admin-upload",
		"--introspection-timeout", "30s"}, token: p.mint(t, managerID)}
	for i := range 6 {
		k.pictures = append(k.pictures, picture.Sample(uint64(i), 300<<i))
	}
	k.start()
	for _, data := range k.pictures { // what comes back is encoded anew
		if got := k.client.upload(t, k.portrait("learner"), k.token, data); got.Code != success || got.Status != 200 {
			t.Fatalf("upload: %d %s", got.Status, got.Message)
		}
		k.stored = append(k.stored, k.read("learner"))
	}
	may := make([]map[int]bool, users) // what each user may have
	for user := range may {
		may[user] = map[int]bool{noPicture: true}
	}
	for round := range rounds {
		var acknowledged atomic.Int64
		enough := make(chan struct{})
		end := sync.OnceFunc(func() { close(enough) })
		var working sync.WaitGroup
		for user := range may {
			random := rand.New(rand.NewPCG(uint64(round), uint64(user)))
			working.Go(func() {
				for k.change(user, random, may[user]) {
					if acknowledged.Add(1) == int64(30+7*round) {
						end()
					}
				}
				end() // something is wrong, and has been reported, when there were not enough
			})
		}
		<-enough
		k.kill()
		working.Wait()
		k.start()
		for user := range may {
			k.wantOneOf(round, user, may[user])
		}
	}
}

func userName(user int) string { return fmt.Sprintf("user-%d", user) }

// killed is a server in a process of its own.
type killed struct {
	t                *testing.T
	dir              string
	args             []string
	token            string
	pictures, stored [][]byte // by number: as uploaded, as served
	process          *exec.Cmd
	client           *caller
}

func (k *killed) start() {
	k.t.Helper()
	self, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	k.process = exec.CommandContext(k.t.Context(), self, "-test.run=^"+k.t.Name()+"$")
	k.process.Env = append(os.Environ(), killedArgs+"="+strings.Join(k.args, "\n"))
	out, err := k.process.StderrPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.process.Start(); err != nil {
		k.t.Fatal(err)
	}
	process := k.process
	k.t.Cleanup(func() { process.Process.Kill(); process.Wait() })
	lines := bufio.NewScanner(out)
	var seen strings.Builder
	for lines.Scan() {
		fmt.Fprintln(&seen, lines.Text())
		if _, rest, ok := strings.Cut(lines.Text(), serveReady); ok {
			go io.Copy(io.Discard, out) // so that it never waits for a reader
			k.client = newCaller(k.t, "http://"+strings.Fields(rest)[0])
			return
		}
	}
	k.t.Fatalf("the server ended before it was ready:\n%s", seen.String())
}

func (k *killed) kill() {
	k.process.Process.Kill()
	k.process.Wait()
	k.client.Close()
}

func (k *killed) portrait(user string) string {
	return k.client.URL + "/management/v1/users/" + user + "/avatar"
}

// change uploads or deletes and notes what the user may have then. It reports false when the server did not answer.
func (k *killed) change(user int, random *rand.Rand, may map[int]bool) bool {
	method, number, body, contentType := http.MethodDelete, noPicture, []byte(nil), ""
	if random.IntN(2) == 0 || may[noPicture] && len(may) == 1 {
		number = random.IntN(len(k.pictures))
		method = http.MethodPost
		body, contentType = client.UploadForm(k.pictures[number])
	}
	may[number] = true
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.portrait(userName(user)), bytes.NewReader(body))
	if err != nil {
		k.t.Error(err)
		return false
	}
	req.Header = k.client.header(k.token)
	req.Header.Set("Content-Type", contentType)
	res, err := k.client.HTTP1.Transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil && res.StatusCode != 200 {
		return false
	}
	if res.StatusCode != 200 {
		k.t.Errorf("%s for user %d = %d, want 200", method, user, res.StatusCode)
		return false
	}
	clear(may) // acknowledged
	may[number] = true
	return true
}

// read returns the picture that is served of a user, nil when there is none.
func (k *killed) read(user string) []byte {
	k.t.Helper()
	status, body := call(k.t, http.MethodGet, k.client.URL+"/assets/v1/"+devidp.OrgAcme+"/users/"+user+"/avatar", "")
	switch status {
	case 200:
		return []byte(body)
	case 404:
		return nil
	}
	k.t.Fatalf("reading %s = %d: %s", user, status, body)
	return nil
}

// wantOneOf demands that a user has one of the pictures that they may have, and leaves that one only.
func (k *killed) wantOneOf(round, user int, may map[int]bool) {
	k.t.Helper()
	got := k.read(userName(user))
	number := noPicture
	if got != nil {
		number = slices.IndexFunc(k.stored, func(stored []byte) bool { return bytes.Equal(stored, got) })
	}
	if !may[number] || got != nil && number < 0 {
		k.t.Errorf("round %d: user %d has picture %d (%d bytes), want one of %v", round, user, number, len(got), slices.Sorted(maps.Keys(may)))
	}
	clear(may)
	may[number] = true
}
