//go:build unix

package e2e

import (
	"strings"
	"testing"

	"connectrpc.com/connect"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
)

// crowd is a server in a process of its own with users who have a picture each.
type crowd struct {
	t      *testing.T
	p      *faultyProvider
	dir    string
	token  string
	stored []byte
	server *process
	client *caller
	erased map[string]bool // whose delete was acknowledged
}

const crowdSize = 16

func newCrowd(t *testing.T, dir string) *crowd {
	c := &crowd{t: t, p: newProvider(t, nil), dir: dir, erased: map[string]bool{}}
	c.token = c.p.mint(t, managerID)
	registerWithPicture(t, dir, c.p.Issuer, devidp.UserAlice) // and acme with her
	c.start()
	for user := range crowdSize {
		c.wantUpload(userName(user), picture.Sample(1, 3000), 200)
	}
	c.stored = c.read(userName(0))
	return c
}

func (c *crowd) argsOn(dir string) []string {
	return []string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--issuer", c.p.Issuer, "--audience", c.p.Audience,
		"--client-id", c.p.Client.ID, "--client-secret", c.p.Client.Secret, "--users-register-on-admin-upload",
		"--introspection-timeout", "30s"}
}

func (c *crowd) start() {
	c.t.Helper()
	c.server = startProcess(c.t, nil, c.argsOn(c.dir)...)
	c.client = newCaller(c.t, c.server.serving())
}

func (c *crowd) portrait(user string) string {
	return c.client.URL + "/management/v1/users/" + user + "/avatar"
}

func (c *crowd) wantUpload(user string, data []byte, status int) {
	c.t.Helper()
	got := c.client.upload(c.t, c.portrait(user), c.token, data)
	if got.Status != status || status == 503 && (got.Code != connect.CodeUnavailable || got.Header.Get("Retry-After") == "") {
		c.t.Errorf("upload for %s = %d %v %s, want %d", user, got.Status, got.Code, got.Message, status)
	}
	if strings.Contains(got.Raw, "space") || strings.Contains(got.Raw, c.dir) {
		c.t.Errorf("the answer tells of the inside: %s", got.Raw)
	}
}

// remove deletes a picture and returns the status; what was acknowledged has to be gone at once.
func (c *crowd) remove(user string) int {
	c.t.Helper()
	got := c.client.do(c.t, "DELETE", c.portrait(user), c.token, "", nil)
	switch {
	case got.Status == 200:
		c.erased[user] = true
		if c.read(user) != nil {
			c.t.Errorf("%s still has a picture after its delete", user)
		}
	case got.Status != 503 || got.Header.Get("Retry-After") == "":
		c.t.Errorf("delete of %s = %d %s, want 200 or 503 with Retry-After", user, got.Status, got.Message)
	}
	return got.Status
}

func (c *crowd) read(user string) []byte {
	c.t.Helper()
	status, body := call(c.t, "GET", c.client.URL+"/assets/v1/"+devidp.OrgAcme+"/users/"+user+"/avatar", "")
	switch status {
	case 200:
		return []byte(body)
	case 404:
		return nil
	}
	c.t.Errorf("reading %s = %d: %s", user, status, body)
	return nil
}

// check demands that everybody has a picture but those whose delete was acknowledged.
func (c *crowd) check(title string) {
	c.t.Helper()
	for user := range crowdSize {
		name := userName(user)
		if got := c.read(name); c.erased[name] && got != nil || !c.erased[name] && string(got) != string(c.stored) {
			c.t.Errorf("%s: %s has %d bytes, erased: %v", title, name, len(got), c.erased[name])
		}
	}
}

func wantNotReady(t *testing.T, c *crowd, reason string) {
	t.Helper()
	wantStatus(t, 503, "GET", c.client.URL+"/readyz", "")
	c.server.out.await(reason)
}
