package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"example.org/avatard/server/picture"
)

// formHead begins a form with the boundary x.
const formHead = "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"

// Four callers send as many and as large uploads as they may, and stop in the middle. Uploads of others are taken at once, each in the
// place of a slow one, which is answered 503.
func TestSlowUploadsHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := serveShelf(t, map[string][]byte{}, false)
		slow := make(map[*frameClient]string) // the tokens
		for _, token := range []string{"admin-token-1", "viewer-token-1", "nobody-token-1", "alice-token-1"} {
			c := server.open(t)
			slow[c] = token
			for range 16 {
				stream := c.next()
				c.upload(stream, token, "multipart/form-data; boundary=x", picture.DefaultUploadBytes)
				c.must(c.WriteData(stream, false, []byte(formHead)))
				c.must(c.WriteData(stream, false, make([]byte, 16<<10)))
			}
			c.take()
		}
		time.Sleep(2 * time.Second)
		const victims = 3
		for i := range victims {
			began := time.Now()
			c := server.open(t)
			body, media := formOf("file", picture.Sample(uint64(i), 1000))
			c.upload(1, "new-token-1", media, body.Len())
			c.must(c.WriteData(1, true, body.Bytes()))
			if got := status(c.take(), 1); got != "200" || time.Since(began) != 0 {
				t.Fatalf("an upload beside slow ones: status %q after %v, want 200 at once", got, time.Since(began))
			}
		}
		cut := 0
		for c := range slow {
			for _, f := range only(c.take(), http2.FrameHeaders) {
				if valueOf(f.fields, ":status") != "503" || valueOf(f.fields, "retry-after") != "1" {
					t.Errorf("a slow upload is answered with %v", f.fields)
				}
				cut++
			}
		}
		if st := s.arriving.stats(); cut != 1 || st.Evicted != 1 || st.Used > st.Size {
			t.Errorf("%d slow uploads were cut off, stats %+v; want 1: each of the others found its room", cut, st)
		}
	})
}

// upload begins an upload of the caller's own picture.
func (c *frameClient) upload(stream uint32, token, media string, size int) {
	c.t.Helper()
	c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true,
		BlockFragment: c.headersFor("/assets/v1/users/me/avatar", "authorization", "Bearer "+token, "content-type", media, "content-length", strconv.Itoa(size))}))
}

// The same over HTTP/1, where each slow upload has a connection of its own.
func TestSlowUploadsOverHTTP1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := serveShelf(t, map[string][]byte{}, false)
		head := func(token, media string, size int) string {
			return fmt.Sprintf("POST /assets/v1/users/me/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
				token, media, size)
		}
		var slow []net.Conn
		for _, token := range []string{"admin-token-1", "viewer-token-1", "nobody-token-1", "alice-token-1"} {
			for range 16 {
				conn := server.connect(t)
				slow = append(slow, conn)
				if _, err := io.WriteString(conn, head(token, "multipart/form-data; boundary=x", picture.DefaultUploadBytes)+formHead); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		time.Sleep(2 * time.Second)
		conn := server.connect(t)
		body, media := formOf("file", picture.Sample(1, 1000))
		go func() { _, _ = io.WriteString(conn, head("new-token-1", media, body.Len())+body.String()) }()
		began := time.Now()
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusOK || time.Since(began) != 0 {
			t.Fatalf("an upload beside slow ones: %v, %v after %v, want 200 at once", res, err, time.Since(began))
		}
		res, err := http.ReadResponse(bufio.NewReader(slow[0]), nil)
		if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "1" || time.Since(began) != 0 {
			t.Errorf("the oldest of the slow ones: %v, %v after %v, want 503 at once", res, err, time.Since(began))
		}
	})
}

// An upload that lost its memory is refused even where the reading of its body could not be broken off.
func TestUploadWithoutItsRoom(t *testing.T) {
	f := start(t, nil)
	body, media := formOf("file", picture.Sample(1, 1000))
	cutting := readerFunc(func(p []byte) (int, error) {
		f.server.arriving.mu.Lock()
		if pl := f.server.arriving.oldest; pl != nil {
			f.server.arriving.revoke(pl)
		}
		f.server.arriving.mu.Unlock()
		return body.Read(p)
	})
	res, said := recordUpload(t, f, media, cutting)
	if res != http.StatusServiceUnavailable {
		t.Errorf("%d %s, want 503", res, said)
	}
	if st := f.server.arriving.stats(); st.Used != 0 || st.Waiting != 0 {
		t.Errorf("stats %+v", st)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// recordUpload uploads alice's own picture without a connection.
func recordUpload(t *testing.T, f *fixture, media string, body io.Reader) (status int, said string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/assets/v1/users/me/avatar", body)
	req.Header = http.Header{"Authorization": {"Bearer alice-token-1"}, "Content-Type": {media}}
	rec := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}
