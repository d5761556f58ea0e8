package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"testing"
)

// exchange sends a request over a connection of its own and leaves the answer in buf. It keeps nothing of either.
func exchange(t *testing.T, address string, request, buf []byte) (head string, body []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	n := 0
	for err == nil {
		var more int
		more, err = conn.Read(buf[n:])
		n += more
	}
	if err != io.EOF { //nolint:errorlint // net.Conn's own
		t.Fatal(err)
	}
	end := bytes.Index(buf[:n], []byte("\r\n\r\n"))
	if end < 0 {
		t.Fatalf("no answer in %d bytes", n)
	}
	return string(buf[:end]), buf[end+4 : n]
}

// SECURITY.md says how many bytes of a form of a picture may stay in memory.
const (
	mostLeft    = 64 << 10
	mostLeftPNG = 160 << 10
)

// After the 200 of a delete hardly any bytes of the picture are in the memory of the process: only the last kilobytes that went through
// buffers of libraries. The picture is uploaded, read, read in a smaller size and deleted; its uploaded form, with pixels as decoders have
// them where it is a PNG or a JPEG in RGB, its stored one and the smaller one are looked for.
func TestLittleLingersInMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing is overwritten by chance
	f := start(t, nil)
	address := strings.TrimPrefix(f.url, "http://")
	buf := make([]byte, 1<<20)
	var forms []hiddenForm
	var most []int
	for _, c := range []struct {
		name  string
		noise func(t *testing.T, b []byte) []byte // appends it
		media string                              // of the stored form
		most  int                                 // bytes that may stay
	}{
		{"JPEG", noisyJPEG, "image/jpeg", mostLeft},
		{"JPEG in RGB", noisyRGB, "image/jpeg", mostLeft},
		{"PNG", opaquePNG, "image/jpeg", mostLeft},
		{"transparent PNG", transparentPNG, "image/png", mostLeftPNG},
		{"GIF", noisyGIF, "image/png", mostLeftPNG},
		{"animated WebP", animatedWebP, "image/jpeg", mostLeft},
	} {
		for _, of := range lives(t, address, buf, c.media, c.noise) {
			forms, most = append(forms, hiddenForm{c.name + " " + of.name, of.hidden}), append(most, c.most)
		}
	}
	forms, most = append(forms, hiddenForm{"planes of a JPEG in RGB", hide(planesOfRGB(t))}), append(most, mostLeft)
	p := piecesOf(forms...)
	for i, left := range p.inMemory(t) {
		t.Logf("%s: %d of %d bytes", forms[i].name, left, len(forms[i].hidden))
		if left > most[i] {
			t.Errorf("%s: about %d of %d bytes are in memory after the end of the picture, want %d or less", forms[i].name, left, len(forms[i].hidden), most[i])
		}
	}
	p.checkSearch(t)
}

// lives uploads a picture, reads it and deletes it. It returns the forms that it had. buf is for whatever is sent and received.
func lives(t *testing.T, address string, buf []byte, media string, noise func(*testing.T, []byte) []byte) []hiddenForm {
	t.Helper()
	const managed, public = "/management/v1/users/" + bob + "/avatar", "/assets/v1/" + acme + "/users/" + bob + "/avatar"
	picture := noise(t, make([]byte, 0, len(buf)/2))
	request := fmt.Appendf(make([]byte, 0, len(buf)), "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer admin-token-1\r\n"+
		"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p\"\r\n\r\n", managed, len(picture)+75)
	request = append(append(request, picture...), "\r\n--b--\r\n"...)
	succeed := func(request []byte, want string) []byte {
		head, body := exchange(t, address, request, buf)
		if !strings.HasPrefix(head, "HTTP/1.1 200") || !strings.Contains(head, want) {
			t.Fatalf("%s, want 200 and %s", head, want)
		}
		return body
	}
	succeed(request, "")
	clear(request)
	forms := []hiddenForm{{"uploaded", hide(picture)}}
	for name, query := range map[string]string{"stored": "", "smaller": "?size=256"} {
		body := succeed(fmt.Appendf(nil, "GET %s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", public, query), media)
		forms = append(forms, hiddenForm{name, hide(body)})
	}
	succeed(fmt.Appendf(nil, "DELETE %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer admin-token-1\r\n\r\n", managed), "")
	clear(buf)
	return forms
}
