package server

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
)

func nothing(http.ResponseWriter, *http.Request) {}

func TestAnnouncedSettings(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := serveFrames(t, nothing, secure).dial(t)
			c.listen()
			c.preface()
			got := c.take()
			announced := make(map[string]uint32)
			for _, f := range only(got, http2.FrameSettings) {
				for _, s := range f.settings {
					announced[s.ID.String()] = s.Val
				}
			}
			want := map[string]uint32{
				"MAX_CONCURRENT_STREAMS": 64,
				"MAX_HEADER_LIST_SIZE":   64<<10 + 10*32, // ten fields' worth of what HTTP/2 adds
				"MAX_FRAME_SIZE":         16 << 10,       // no frame needs more memory than that
				"INITIAL_WINDOW_SIZE":    maxStreamBuffer,
				"HEADER_TABLE_SIZE":      4096,
			}
			if diff := cmp.Diff(want, announced); diff != "" {
				t.Errorf("TLS %v: announced settings (-want +got):\n%s", secure, diff)
			}
			updates := only(got, http2.FrameWindowUpdate)
			if len(updates) != 1 || updates[0].StreamID != 0 || updates[0].added+65535 != maxConnectionBuffer {
				t.Errorf("TLS %v: window updates %+v, want the connection's raised to %d", secure, updates, maxConnectionBuffer)
			}
		})
	}
}

// A peer that has gone without closing its connection, as behind a NAT that dropped it, answers no PING.
func TestSilentPeerIsAskedAndDropped(t *testing.T) {
	for _, answering := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := serveFrames(t, nothing, false).open(t)
			time.Sleep(15 * time.Second)
			pings := only(c.take(), http2.FramePing)
			if len(pings) != 1 || pings[0].at != 15*time.Second {
				t.Fatalf("PINGs %+v, want one after 15 s of silence", pings)
			}
			if answering {
				c.must(c.WritePing(true, pings[0].ping))
				time.Sleep(14 * time.Second)
				if c.over() != 0 {
					t.Errorf("a peer that answered was dropped after %v", c.over())
				}
				return
			}
			time.Sleep(20 * time.Second)
			if c.over() != 25*time.Second {
				t.Errorf("the connection ended after %v, want 25 s", c.over())
			}
		})
	}
}

func TestUnusedConnectionEndsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveFrames(t, nothing, false).open(t)
		c.request(1, true)
		for range 630 {
			time.Sleep(time.Second)
			got := c.take()
			for _, ping := range only(got, http2.FramePing) {
				c.must(c.WritePing(true, ping.ping))
			}
			if away := only(got, http2.FrameGoAway); len(away) > 0 {
				if away[0].code != http2.ErrCodeNo || away[0].last != 1 || away[0].at != DefaultIdleTimeout {
					t.Errorf("GOAWAY %+v, want no error, stream 1, after 620 s", away[0])
				}
				time.Sleep(2 * time.Second)
				if c.over() == 0 {
					t.Error("the connection stayed open after GOAWAY")
				}
				return
			}
		}
		t.Error("no GOAWAY in 630 s")
	})
}

func TestUnfinishedBeginningsEnd(t *testing.T) {
	rows := []struct {
		title string
		begin func(*frameClient)
		want  time.Duration
	}{
		{"nothing at all", func(*frameClient) {}, 5 * time.Second},
		{"half of the preface", func(c *frameClient) { _, _ = c.conn.Write([]byte(http2.ClientPreface[:12])) }, 5 * time.Second},
		{"no SETTINGS", func(c *frameClient) { _, _ = c.conn.Write([]byte(http2.ClientPreface)) }, 2 * time.Second},
		{"something else than SETTINGS", func(c *frameClient) {
			_, _ = c.conn.Write([]byte(http2.ClientPreface))
			c.must(c.WritePing(false, [8]byte{}))
		}, time.Second},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := serveFrames(t, nothing, false).dial(t)
				c.listen()
				row.begin(c)
				time.Sleep(time.Minute)
				if c.over() != row.want {
					t.Errorf("the connection ended after %v, want %v", c.over(), row.want)
				}
			})
		})
	}
}
