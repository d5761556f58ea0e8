package server

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A connection is kept for longer than the ten minutes that load balancers keep it, so that they close it: a call that arrives while the
// server closes gets no answer.
func TestIdleConnectionsOutliveProxies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := serveShelf(t, map[string][]byte{}, false)
		conn := server.connect(t)
		reader := bufio.NewReader(conn)
		for range 3 {
			if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Close || res.StatusCode != http.StatusOK {
				t.Fatalf("%d, closes %v, %v", res.StatusCode, res.Close, err)
			}
			time.Sleep(601 * time.Second)
		}
		if _, err := reader.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection for ever: %v, want its end", err)
		}
	})
}

func TestIdleHTTP2ConnectionsOutliveProxies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := serveShelf(t, map[string][]byte{}, false)
		c := server.open(t)
		idle := func(long time.Duration) {
			for end := time.Now().Add(long); time.Now().Before(end) && c.over() == 0; time.Sleep(time.Second) {
				for _, ping := range only(c.take(), http2.FramePing) {
					c.must(c.WritePing(true, ping.ping))
				}
			}
		}
		for range 2 {
			idle(601 * time.Second)
			stream := c.next()
			c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: true, BlockFragment: c.headersOf(http.MethodGet, "/healthz")}))
			if got := status(c.take(), stream); got != "200" {
				t.Fatalf("after ten minutes: status %q, want 200", got)
			}
		}
		if idle(630 * time.Second); c.over() == 0 {
			t.Error("an idle connection is kept for ever")
		}
	})
}
