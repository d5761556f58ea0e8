package e2e

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.org/avatard/server/picture"
)

// TestContract replays the wire contract against one server of dev, as callers see it: byte for byte where bytes
// matter. test/e2e/testdata/contract/cases.json is the contract's own table; more.json and the other parts add what the
// contract says in prose.
func TestContract(t *testing.T) { testContract(t, contractParts()) }

// contractPart is one that is tested by itself.
type contractPart struct {
	name string
	test func(*contract, *testing.T)
}

// contractParts returns all of them. Those that change who is registered come after those that count on it.
func contractParts() []contractPart {
	return []contractPart{
		{"cases", func(c *contract, t *testing.T) { c.replay(t, "test/e2e/testdata/contract/cases.json") }},
		{"more", func(c *contract, t *testing.T) { c.replay(t, "test/e2e/testdata/contract/more.json") }},
		{"ids", (*contract).testIDs},
		{"paths", (*contract).testPaths},
		{"methods", (*contract).testMethods},
		{"preflight", (*contract).testPreflight},
		{"transport", (*contract).testTransport},
		{"procedures", (*contract).testProcedures},
		{"media", (*contract).testMedia},
		{"spellings", (*contract).testSpellings},
		{"no spellings", (*contract).testNotSpelled},
		{"messages", (*contract).testMessages},
		{"deadlines", (*contract).testDeadlines},
		{"headers", (*contract).testHeaders},
		{"again", (*contract).testAgain},
		{"together", (*contract).testTogether},
		{"none", (*contract).testNoPicture},
		{"etag", (*contract).testETag},
		{"uploads", (*contract).testUploads},
		{"coded uploads", (*contract).testCodedUploads},
		{"uploads refused", (*contract).testUploadsRefused},
		{"own", (*contract).testOwn},
		{"moved", (*contract).testMoved},
	}
}

func testContract(t *testing.T, parts []contractPart) {
	c := startContract(t)
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.test(c, t) })
	}
}

// contract is a server that is held to the contract.
type contract struct {
	*wire
	env  map[string]string // of dev
	data string            // its directory
	// drawn counts the pictures that were uploaded, so that each is another one.
	drawn uint64
}

func startContract(t *testing.T) *contract {
	dir := t.TempDir()
	_, env := startDev(t, "--data", dir)
	return &contract{wire: newWire(t, strings.TrimPrefix(env["AVATARD_URL"], "http://")), env: env, data: dir}
}

// send sends a request that has to be answered.
func (c *contract) send(t *testing.T, version int, req wireRequest) wireAnswer {
	t.Helper()
	a, err := c.exchange(t.Context(), version, req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.method, req.path, err)
	}
	return a
}

// ask sends a request in a form and checks the answer.
func (c *contract) ask(t *testing.T, f wireForm, req wireRequest, want wanted) verdict {
	t.Helper()
	v, err := f.read(c.send(t, f.version, req))
	if err != nil {
		t.Fatalf("%s %s: the answer is not in the form: %v", req.method, req.path, err)
	}
	f.check(t, v, want)
	return v
}

// bearer is the Authorization header with the token of that name.
func (c *contract) bearer(token string) wireField {
	return wireField{"Authorization", "Bearer " + c.variable(token)}
}

// variable returns the value of a variable of the environment file.
func (c *contract) variable(name string) string {
	value, ok := c.env[name]
	if !ok {
		panic(fmt.Sprintf("no variable %q", name))
	}
	return value
}

// organizations says where dev's people belong.
var organizations = map[string]string{
	"USER_ALICE": "ORG_ACME", "USER_BOB": "ORG_ACME", "USER_CAROL": "ORG_GLOBEX", "USER_DAVE": "ORG_INITECH",
}

// picturePath is where everyone reads the picture of one of dev's people.
func (c *contract) picturePath(user string) string {
	return "/assets/v1/" + c.variable(organizations[user]) + "/users/" + c.variable(user) + "/avatar"
}

// see reads the picture of one of dev's people as everyone may.
func (c *contract) see(t *testing.T, user string) wireAnswer {
	t.Helper()
	return c.send(t, 1, wireRequest{method: http.MethodGet, path: c.picturePath(user)})
}

// give uploads a new picture for one of dev's people and returns what everyone then sees.
func (c *contract) give(t *testing.T, user string) wireAnswer {
	t.Helper()
	c.drawn++
	path := "/management/v1/users/" + c.variable(user) + "/avatar"
	req := uploadRequest(path, "file", picture.Sample(c.drawn, 1000), c.bearer("TOKEN_ADMIN"),
		wireField{"X-Zitadel-Orgid", c.variable(organizations[user])})
	c.ask(t, wireForms()[0], req, wanted{owner: c.variable(organizations[user])})
	seen := c.see(t, user)
	if seen.status != 200 || len(seen.body) == 0 {
		t.Fatalf("after the upload the picture is answered with %d", seen.status)
	}
	return seen
}

// uploadRequest puts data into a form with one field.
func uploadRequest(path, field string, data []byte, fields ...wireField) wireRequest {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile(field, "me.svg") // the name says nothing
	_, _ = part.Write(data)
	_ = w.Close()
	return wireRequest{method: http.MethodPost, path: path, body: body.Bytes(),
		fields: append(slices.Clone(fields), wireField{"Content-Type", w.FormDataContentType()})}
}

// wantKept fails when the picture is not the one that was seen before.
func (c *contract) wantKept(t *testing.T, user string, before wireAnswer) {
	t.Helper()
	now := c.see(t, user)
	if now.status != 200 || now.header.Get("Etag") != before.header.Get("Etag") || !bytes.Equal(now.body, before.body) {
		t.Errorf("the picture is answered with %d and %d bytes, want the one from before", now.status, len(now.body))
	}
}

// wantGone fails when there is a picture.
func (c *contract) wantGone(t *testing.T, user string) {
	t.Helper()
	if now := c.see(t, user); now.status != 404 {
		t.Errorf("the picture is answered with %d, want 404", now.status)
	}
}
