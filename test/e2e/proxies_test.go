//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/test/docpage"
)

// proxiesPage is what this file proves, in words.
const proxiesPage = "docs/proxies.md"

// The page shows the very files that the test below runs proxies with.
func TestProxiesPageShowsTheFiles(t *testing.T) {
	parts := map[string]string{}
	for _, setup := range proxySetups() {
		text := readFile(t, "test/e2e/testdata/proxies/"+setup.file)
		parts[setup.file] = "```\n" + string(text) + "```\n"
	}
	docpage.Check(t, proxiesPage, parts)
}

// slashed is a user whose id is only itself when nobody on the way touches the path.
const slashed = "a/b c"

// Every form goes through every proxy, and so does everything else that proxies could spoil. The page lists the forms that work.
func TestThroughProxies(t *testing.T) {
	for _, setup := range proxySetups() {
		Program(t, setup.program)
	}
	forms, others := newMatrix("form"), newMatrix("")
	for _, setup := range proxySetups() {
		t.Run(setup.file, func(t *testing.T) {
			m := startProxied(t, setup, devidp.UserAlice, slashed)
			for _, f := range wireForms() {
				forms.add(f.title(), f.version, m.formWorks(t, f))
			}
			for version := 1; version <= 2; version++ {
				for _, row := range proxyRows() {
					works := t.Run(fmt.Sprintf("%s, HTTP/%d", row.title, version), func(t *testing.T) { row.test(m, t, version) })
					others.add(row.title, version, verdictOf(works))
				}
			}
			m.provider.Misbehave("", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
			for _, f := range wireForms() {
				works := t.Run("503 "+f.name, func(t *testing.T) {
					unknown := wireField{"Authorization", "Bearer " + m.provider.mint(t, managerID)}
					m.ask(t, f, f.request(question{user: devidp.UserAlice, fields: []wireField{unknown}}), wanted{code: 14}) // with Retry-After
				})
				if !works {
					t.Errorf("%s does not say that the provider is down", f.name)
				}
			}
		})
	}
	if !t.Failed() {
		docpage.Check(t, proxiesPage, map[string]string{"forms": forms.String(), "others": others.String()})
	}
}

// title is what the page calls a form.
func (f wireForm) title() string {
	switch {
	case f.rest():
		return "REST"
	case f.family == "connect":
		return "Connect, `" + f.media + "`"
	case f.text():
		return "gRPC-Web text, `" + f.media + "`"
	case f.family == "grpc-web":
		return "gRPC-Web, `" + f.media + "`"
	}
	return "gRPC, `" + f.media + "`"
}

// formWorks tries a form and says what the table should: the version of HTTP in which it reached the server.
func (m *proxied) formWorks(t *testing.T, f wireForm) string {
	reached := ""
	works := t.Run(f.name, func(t *testing.T) {
		ask := func(token, user string, want wanted) {
			t.Helper()
			var fields []wireField
			if token != "" {
				fields = append(fields, wireField{"Authorization", "Bearer " + token})
			}
			m.ask(t, f, f.request(question{user: user, fields: fields}), want)
		}
		m.ask(t, wireForms()[0], uploadRequest(portrait(devidp.UserAlice), "file", picture.Sample(1, 1000), m.bearer()), wanted{owner: devidp.OrgAcme})
		ask(m.token, devidp.UserAlice, wanted{owner: devidp.OrgAcme})
		reached = m.arrived().Proto
		if now := m.send(t, f.version, wireRequest{method: http.MethodGet, path: picturePath(devidp.UserAlice)}); now.status != 404 {
			t.Errorf("after the delete the picture is answered with %d", now.status)
		}
		ask(m.token, slashed, wanted{owner: devidp.OrgAcme})
		ask(m.token, "nobody", wanted{code: 5, id: "USER-35N8f"})
		ask("", devidp.UserAlice, wanted{code: 16}) // with WWW-Authenticate
		ask("garbage", devidp.UserAlice, wanted{code: 16, id: "AUTH-7fs1e"})
		ask(m.provider.mint(t, devidp.UserAlice), devidp.UserAlice, wanted{code: 5, id: "AUTHZ-cdgFk"})
		m.testSixteen(t, f)
	})
	if !works {
		return "no"
	}
	return strings.TrimSuffix(reached, ".0")
}

// testSixteen has sixteen callers delete a picture at once. All are told the same.
func (m *proxied) testSixteen(t *testing.T, f wireForm) {
	const callers = 16
	type result struct {
		verdict
		err error
	}
	results := make(chan result, callers)
	for range callers {
		go func() {
			a, err := m.exchange(t.Context(), f.version, f.request(question{user: devidp.UserAlice, fields: []wireField{m.bearer()}}))
			v := verdict{}
			if err == nil {
				v, err = f.read(a)
			}
			results <- result{v, err}
		}()
	}
	first := <-results
	for i := range callers {
		r := first
		if i > 0 {
			r = <-results
		}
		if r.err != nil || r.code != 0 {
			t.Errorf("one of sixteen got code %d %s, %v", r.code, r.message, r.err)
		} else if diff := cmp.Diff(first.details, r.details, protocmp.Transform()); diff != "" {
			t.Errorf("two of sixteen (-one +another):\n%s", diff)
		}
	}
}

// proxyRow is something that proxies could spoil.
type proxyRow struct {
	title string
	test  func(m *proxied, t *testing.T, version int)
}

func proxyRows() []proxyRow {
	return []proxyRow{
		{"ids as they are sent: `%2F`, `%2E%2E`, `..`, `//`", (*proxied).testPaths},
		{"50 KiB of headers", (*proxied).testLongHeaders},
		{"65 KiB of headers: refused before avatard", (*proxied).testTooLongHeaders},
		{"an upload of 512 KiB", (*proxied).testUpload},
		{"uploads refused before they are read", (*proxied).testUploadRefused},
		{"a picture, its `ETag` and 304", (*proxied).testRead},
		{"the client's address, and no forged one", (*proxied).testForwarded},
		{"documents name the address with `https`, whatever the client claims", (*proxied).testDocument},
		{"another method: 405 with `Allow`", (*proxied).testMethods},
	}
}

func verdictOf(works bool) string {
	if works {
		return "yes"
	}
	return "no"
}

// restIn is REST in a version of HTTP.
func restIn(version int) wireForm { return wireForms()[version-1] }

func (m *proxied) remove(t *testing.T, version int, path string, want wanted, more ...wireField) verdict {
	t.Helper()
	return m.ask(t, restIn(version), wireRequest{method: http.MethodDelete, path: path, fields: append(more, m.bearer())}, want)
}

func (m *proxied) testPaths(t *testing.T, version int) {
	m.remove(t, version, portrait("a%2Fb%20c"), wanted{owner: devidp.OrgAcme})
	m.remove(t, version, portrait("a%2fb%20c")+"?userId="+devidp.UserAlice, wanted{owner: devidp.OrgAcme})
	if got := m.arrived().RequestURI; got != portrait("a%2fb%20c")+"?userId="+devidp.UserAlice {
		t.Errorf("what arrived is %q", got)
	}
	m.remove(t, version, portrait("%61%2Fb%20c"), wanted{owner: devidp.OrgAcme})
	for _, unknown := range []string{"%2E%2E", "..", ".", "a%2Fb"} {
		m.remove(t, version, portrait(unknown), wanted{code: 5, id: "USER-35N8f"})
	}
	m.remove(t, version, portrait(""), wanted{code: 3}) // an empty id
}

// padding is a header field of that many bytes.
func padding(size int) wireField { return wireField{"X-Padding", strings.Repeat("p", size)} }

func (m *proxied) testLongHeaders(t *testing.T, version int) {
	m.remove(t, version, portrait(devidp.UserAlice), wanted{}, padding(50<<10))
	if got := len(m.arrived().Header.Get("X-Padding")); got != 50<<10 {
		t.Errorf("%d bytes of a header arrived", got)
	}
	var many []wireField
	for range 50 {
		many = append(many, padding(1<<10))
	}
	m.remove(t, version, portrait(devidp.UserAlice), wanted{}, many...)
}

// Headers over the limit of avatard are refused by the proxy, so that avatard does not see them: over HTTP/2 it would end the connection,
// which a proxy may share among its clients.
func (m *proxied) testTooLongHeaders(t *testing.T, version int) {
	const marker = "/too-long"
	for _, fields := range [][]wireField{{padding(65 << 10)}, {padding(35 << 10), padding(35 << 10)}} {
		a, err := m.exchange(t.Context(), version, wireRequest{method: http.MethodGet, path: marker, fields: append(fields, m.bearer())})
		if err == nil && a.status != 400 && a.status != 431 {
			t.Errorf("the answer is %d %q", a.status, a.body)
		}
		if m.arrived().URL.Path == marker {
			t.Error("it reached the server")
		}
		m.remove(t, version, portrait(devidp.UserAlice), wanted{})
	}
}

func (m *proxied) testUpload(t *testing.T, version int) {
	data := picture.Sample(7, picture.DefaultUploadBytes-1000)
	if len(data) < picture.DefaultUploadBytes*3/4 || len(data) > picture.DefaultUploadBytes {
		t.Fatalf("the picture has %d bytes", len(data))
	}
	m.ask(t, restIn(version), uploadRequest(portrait(devidp.UserAlice), "file", data, m.bearer()), wanted{owner: devidp.OrgAcme})
	seen := m.send(t, version, wireRequest{method: http.MethodGet, path: picturePath(devidp.UserAlice)})
	if seen.status != 200 || len(seen.body) < 100<<10 { // more than a proxy's buffers
		t.Errorf("the picture is answered with %d and %d bytes", seen.status, len(seen.body))
	}
	m.remove(t, version, portrait(devidp.UserAlice), wanted{})
}

func (m *proxied) testUploadRefused(t *testing.T, version int) {
	data := bytes.Repeat([]byte{0xff}, 600<<10)
	m.ask(t, restIn(version), uploadRequest(portrait(devidp.UserAlice), "file", data), wanted{code: 16})
	m.ask(t, restIn(version), uploadRequest(portrait("nobody"), "file", data[:1000], m.bearer()), wanted{code: 3}) // no picture
	m.ask(t, restIn(version), uploadRequest(portrait(devidp.UserAlice), "file", data, m.bearer()), wanted{code: 3, status: 413})
}

func (m *proxied) testRead(t *testing.T, version int) {
	m.ask(t, restIn(version), uploadRequest(portrait(devidp.UserAlice), "file", picture.Sample(8, 3000), m.bearer()), wanted{})
	get := wireRequest{method: http.MethodGet, path: picturePath(devidp.UserAlice)}
	seen := m.send(t, version, get)
	tag := seen.header.Get("Etag")
	if seen.status != 200 || len(seen.body) == 0 || tag == "" || !strings.HasPrefix(seen.header.Get("Content-Type"), "image/") {
		t.Errorf("the picture is answered with %d, %v", seen.status, seen.header)
	}
	get.fields = []wireField{{"If-None-Match", tag}}
	if again := m.send(t, version, get); again.status != 304 || len(again.body) > 0 {
		t.Errorf("the same picture is answered with %d and %d bytes, want 304", again.status, len(again.body))
	}
	m.remove(t, version, portrait(devidp.UserAlice), wanted{})
	if gone := m.send(t, version, get); gone.status != 404 {
		t.Errorf("the deleted picture is answered with %d, want 404", gone.status)
	}
}

// What the client writes about addresses does not arrive; what the proxy saw does.
func (m *proxied) testForwarded(t *testing.T, version int) {
	for _, f := range wireForms() {
		if f.version != version {
			continue
		}
		fields := []wireField{m.bearer(), {"X-Forwarded-For", "203.0.113.9"}, {"Forwarded", "for=203.0.113.9"}}
		m.ask(t, f, f.request(question{user: devidp.UserAlice, fields: fields}), wanted{})
		header := m.arrived().Header
		if got := header["X-Forwarded-For"]; len(got) != 1 || got[0] != "127.0.0.1" || len(header["Forwarded"]) > 0 {
			t.Errorf("%s: the server got X-Forwarded-For %q and Forwarded %q, want the address of the client alone", f.name, got, header["Forwarded"])
		}
	}
}

func (m *proxied) testDocument(t *testing.T, version int) {
	for _, claim := range []string{"", "http", "javascript"} {
		req := wireRequest{method: http.MethodGet, path: "/openapi.json"}
		if claim != "" {
			req.fields = []wireField{{"X-Forwarded-Proto", claim}, {"Forwarded", "for=203.0.113.9;proto=" + claim}, {"X-Forwarded-Host", "evil.example"}}
		}
		var document struct{ Servers []struct{ URL string } }
		if err := json.Unmarshal(m.send(t, version, req).body, &document); err != nil {
			t.Fatal(err)
		}
		if s := document.Servers; len(s) != 1 || s[0].URL != "https://"+m.address {
			t.Errorf("where the client claims %q the document names %v, want https://%s", claim, s, m.address)
		}
	}
}

func (m *proxied) testMethods(t *testing.T, version int) {
	req := wireRequest{method: http.MethodPut, path: portrait(devidp.UserAlice), fields: []wireField{m.bearer()}}
	m.ask(t, restIn(version), req, wanted{code: 12, status: 405, allow: "DELETE, POST"})
}

// matrix is a table of the page: a row for each thing and version of HTTP, a column for each setup.
type matrix struct {
	head  string
	names []string // of rows, in order
	cells map[string][]string
}

func newMatrix(first string) *matrix {
	m := &matrix{cells: map[string][]string{}, head: "| " + first + " | client |"}
	for _, setup := range proxySetups() {
		m.head += " " + setup.title + " |"
	}
	m.head += "\n|---|---|" + strings.Repeat("---|", len(proxySetups())) + "\n"
	return m
}

// add puts a cell at the end of its row.
func (m *matrix) add(title string, version int, cell string) {
	name := "| " + title + " | HTTP/" + map[int]string{1: "1.1", 2: "2"}[version] + " |"
	if m.cells[name] == nil {
		m.names = append(m.names, name)
	}
	m.cells[name] = append(m.cells[name], cell)
}

func (m *matrix) String() string {
	var b strings.Builder
	b.WriteString(m.head)
	for _, name := range m.names {
		b.WriteString(name)
		for _, cell := range m.cells[name] {
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}
