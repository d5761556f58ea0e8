package server

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// Uploads wait for a place in memory before their bodies are read. Behind a proxy they share a connection with
// everybody else's calls.
func TestUnreadBodiesLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		letGo := sync.OnceFunc(func() { close(release) })
		defer letGo()
		c := serveFrames(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Wait") != "" {
				<-release
			}
			n, _ := io.Copy(io.Discard, r.Body)
			if n > 0 {
				w.WriteHeader(http.StatusNoContent)
			}
		}, false).open(t)
		const waiting = defaultUploads - 1
		stream := uint32(1)
		for range waiting {
			c.request(stream, false, "wait", "1")
			for range maxStreamBuffer / (16 << 10) {
				c.must(c.WriteData(stream, false, make([]byte, 16<<10)))
			}
			stream += 2
		}
		if got := c.take(); len(got) != 0 {
			t.Fatalf("while nothing is read: %+v, want silence", got)
		}
		c.request(stream, false)
		c.must(c.WriteData(stream, true, make([]byte, 16<<10)))
		if got := status(c.take(), stream); got != "204" {
			t.Errorf("another call gets %q, want 204", got)
		}
		letGo()
		c.must(c.WriteData(1, true, nil))
		if got := status(c.take(), 1); got != "204" {
			t.Errorf("a call that waited gets %q, want 204", got)
		}
	})
}

func TestMoreDataThanTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		c := serveFrames(t, func(http.ResponseWriter, *http.Request) { <-release }, false).open(t)
		c.request(1, false)
		for range maxStreamBuffer/(16<<10) + 1 {
			c.must(c.WriteData(1, false, make([]byte, 16<<10)))
		}
		reset := only(c.take(), http2.FrameRSTStream)
		if len(reset) != 1 || reset[0].code != http2.ErrCodeFlowControl {
			t.Errorf("got %+v, want the stream reset with FLOW_CONTROL_ERROR", reset)
		}
	})
}

func TestTooMuchWindowForAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveFrames(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, false).open(t)
		c.request(1, false)
		c.must(c.WriteWindowUpdate(1, 1<<31-1))
		reset := only(c.take(), http2.FrameRSTStream)
		if len(reset) != 1 || reset[0].code != http2.ErrCodeFlowControl {
			t.Errorf("got %+v, want the stream reset with FLOW_CONTROL_ERROR", reset)
		}
		c.request(3, true)
		if got := status(c.take(), 3); got != "200" {
			t.Errorf("status %q for the next call, want 200", got)
		}
	})
}

// An answer that its caller does not take delays no other call, and does not wait forever.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 100 << 10
		var ended atomic.Int64
		c := serveFrames(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, size))
			ended.Add(1)
		}, false).open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 10})
		c.must(c.WriteWindowUpdate(0, 1<<20))
		c.request(1, true)
		c.request(3, true)
		c.must(c.WriteWindowUpdate(3, size))
		sum := make(map[uint32]int)
		for _, f := range only(c.take(), http2.FrameData) {
			sum[f.StreamID] += f.data
		}
		if sum[1] != 1<<10 || sum[3] != size || ended.Load() != 1 {
			t.Errorf("slow %d bytes, quick %d bytes, %d handlers ended; want 1024, %d, 1", sum[1], sum[3], ended.Load(), size)
		}
		for range 60 {
			time.Sleep(time.Second)
			for _, f := range c.take() {
				switch f.Type {
				case http2.FramePing:
					c.must(c.WritePing(true, f.ping))
				case http2.FrameRSTStream:
					if f.StreamID != 1 || f.at != MaxCallDuration+10*time.Second {
						t.Errorf("stream %d reset after %v, want stream 1 after 40 s", f.StreamID, f.at)
					}
					if synctest.Wait(); ended.Load() != 2 {
						t.Error("the handler still writes")
					}
					return
				}
			}
		}
		t.Error("the slow stream was not reset in a minute")
	})
}

// A peer that sends calls but takes nothing from its socket.
func TestPeerThatReadsNothingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		c := serveFrames(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 32<<10))
			ended.Add(1)
		}, false).dial(t)
		c.preface()
		for i := range uint32(10) {
			c.request(2*i+1, true)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if _, err := c.conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open after 11 s in which nothing was taken from it")
		}
		if synctest.Wait(); ended.Load() != 10 {
			t.Errorf("%d of 10 handlers ended", ended.Load())
		}
	})
}
