package server

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// A peer sends control frames that need an answer and takes none: the answers must not pile up in memory.
func TestControlFloodsAreBounded(t *testing.T) {
	// net/http ends a connection for which 10,000 answers wait. Meanwhile the peer may have filled the buffer that is read ahead, with
	// frames of 13 bytes at least.
	const owed = 10_000 + 4096/13 + 100
	rows := []struct {
		title string
		send  func(*frameClient) error
		most  int           // frames that are taken
		by    time.Duration // when the connection is over
	}{
		{"PING", func(c *frameClient) error { return c.WritePing(false, [8]byte{1}) }, owed, time.Second},
		{"streams that cannot be", func(c *frameClient) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next(), BlockFragment: c.headers(":status", "1"), EndHeaders: true, EndStream: true})
		}, owed, time.Second},
		// All SETTINGS that are not acknowledged yet get one acknowledgement: nothing piles up, and the write of the first
		// one runs into its time-out.
		{"SETTINGS", func(c *frameClient) error { return c.WriteSettings() }, 20_000, 11 * time.Second},
		{"SETTINGS with everything", func(c *frameClient) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 31}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		}, 20_000, 11 * time.Second},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handlers := &crowd{wait: func(*http.Request) {}}
				c := serveFrames(t, handlers.serve, false).dial(t)
				c.preface()
				taken := 0
				for taken < 20_000 && row.send(c) == nil {
					taken++
				}
				if taken > row.most {
					t.Errorf("%d frames were taken, want at most %d", taken, row.most)
				}
				if row.by > time.Second {
					time.Sleep(row.by)
				}
				c.listen()
				got := c.take()
				if end := c.over(); end == 0 || end > row.by {
					t.Errorf("the connection ended after %v, want at most %v", end, row.by)
				}
				if len(got) > 3 {
					t.Errorf("%d frames were waiting to be sent, want those of the beginning", len(got))
				}
				if handlers.begun.Load() != 0 {
					t.Error("a handler ran")
				}
			})
		})
	}
}

// The same frames from a peer that takes the answers do not end the connection.
func TestAnsweredPingsAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveFrames(t, nothing, false).open(t)
		answers := 0
		for range 20 {
			for range 1000 {
				c.must(c.WritePing(false, [8]byte{1}))
			}
			answers += len(only(c.take(), http2.FramePing))
		}
		if answers != 20_000 || c.over() != 0 {
			t.Errorf("%d answers, connection over after %v; want 20000, and that it is open", answers, c.over())
		}
	})
}

// A table for header compression is memory of the server that the peer asks for.
func TestHeaderTableStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveFrames(t, nothing, false).open(t, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 30})
		// A block may announce a new size of the table that it was packed with, up to the one that the server allows.
		c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: append([]byte{0x3f, 0xe1, 0xff, 0x03}, c.headers()...), EndHeaders: true, EndStream: true}))
		away := only(c.take(), http2.FrameGoAway)
		if len(away) != 1 || away[0].code != http2.ErrCodeCompression {
			t.Errorf("got %+v, want GOAWAY COMPRESSION_ERROR for a table of 64 KiB", away)
		}
	})
}
