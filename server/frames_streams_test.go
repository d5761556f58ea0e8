package server

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// crowd is a handler that counts how many of it run at once.
type crowd struct {
	running, most, begun atomic.Int64
	wait                 func(*http.Request)
}

func (c *crowd) serve(w http.ResponseWriter, r *http.Request) {
	c.begun.Add(1)
	now := c.running.Add(1)
	defer c.running.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	c.wait(r)
	w.WriteHeader(http.StatusNoContent)
}

func TestStreamsOverTheLimitAreRefused(t *testing.T) {
	rows := []struct {
		title        string
		acknowledged bool
		want         http2.ErrCode
	}{
		{"a peer that knows the limit breaks the protocol", true, http2.ErrCodeProtocol},
		{"a peer that may not know it yet is told to try again", false, http2.ErrCodeRefusedStream},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				letGo := sync.OnceFunc(func() { close(release) })
				defer letGo()
				handlers := &crowd{wait: func(*http.Request) { <-release }}
				c := serveFrames(t, handlers.serve, false).dial(t)
				c.listen()
				c.preface()
				if row.acknowledged {
					c.must(c.WriteSettingsAck())
				}
				for i := range uint32(maxStreams + 1) {
					c.request(2*i+1, true)
				}
				refused := only(c.take(), http2.FrameRSTStream)
				if len(refused) != 1 || refused[0].StreamID != 2*maxStreams+1 || refused[0].code != row.want {
					t.Errorf("refused %+v, want stream %d with %v", refused, 2*maxStreams+1, row.want)
				}
				if n := handlers.running.Load(); n != maxStreams {
					t.Errorf("%d handlers run, want %d", n, maxStreams)
				}
				letGo()
				c.take()
				c.request(2*maxStreams+3, true)
				if got := status(c.take(), 2*maxStreams+3); got != "204" {
					t.Errorf("status %q once there is room, want 204", got)
				}
			})
		})
	}
}

// CVE-2023-44487: a stream that was reset no longer counts, but its handler may still run.
func TestRapidResetIsBounded(t *testing.T) {
	t.Run("handlers that do not end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			letGo := sync.OnceFunc(func() { close(release) })
			defer letGo()
			handlers := &crowd{wait: func(*http.Request) { <-release }}
			s := serveFrames(t, handlers.serve, false)
			c := s.open(t)
			var away []frame
			opened := uint32(0)
			for ; opened < 5000 && len(away) == 0; opened++ {
				c.request(2*opened+1, true)
				c.must(c.WriteRSTStream(2*opened+1, http2.ErrCodeCancel))
				away = only(c.take(), http2.FrameGoAway)
			}
			if len(away) != 1 || away[0].code != http2.ErrCodeEnhanceYourCalm {
				t.Fatalf("after %d streams: %+v, want GOAWAY ENHANCE_YOUR_CALM", opened, away)
			}
			if opened > 5*maxStreams+2 {
				t.Errorf("GOAWAY only after %d streams, want one of the first %d", opened, 5*maxStreams+2)
			}
			time.Sleep(2 * time.Second)
			if c.over() == 0 {
				t.Error("the connection stays open")
			}
			other := s.open(t)
			other.request(1, true)
			synctest.Wait()
			letGo()
			if got := status(other.take(), 1); got != "204" {
				t.Errorf("another connection gets %q, want 204", got)
			}
			if most, begun := handlers.most.Load(), handlers.begun.Load(); most != maxStreams+1 || begun != most {
				t.Errorf("%d handlers ran, %d of them at once; want %d and the other connection's", begun, most, maxStreams)
			}
		})
	})
	t.Run("handlers that end with their stream", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			handlers := &crowd{wait: func(r *http.Request) { <-r.Context().Done() }}
			c := serveFrames(t, handlers.serve, false).open(t)
			for i := range uint32(3000) {
				c.request(2*i+1, true)
				c.must(c.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
				synctest.Wait()
			}
			if n := handlers.running.Load(); n != 0 || c.over() != 0 {
				t.Errorf("%d handlers still run, the connection ended after %v; want none, and that it is open", n, c.over())
			}
			if n := handlers.most.Load(); n > maxStreams {
				t.Errorf("%d handlers ran at once, want at most %d", n, maxStreams)
			}
		})
	})
}

func TestFramesOnStreamsThatAreNotOpen(t *testing.T) {
	rows := []struct {
		title  string
		send   func(*frameClient) error
		stream uint32 // that is reset, 0 = the connection ends
		code   http2.ErrCode
	}{
		{"data after the end of the stream", func(c *frameClient) error { return c.WriteData(1, true, []byte("late")) }, 1, http2.ErrCodeStreamClosed},
		{"data on a stream never opened", func(c *frameClient) error { return c.WriteData(9, true, []byte("early")) }, 0, http2.ErrCodeProtocol},
		{"reset of a stream never opened", func(c *frameClient) error { return c.WriteRSTStream(9, http2.ErrCodeCancel) }, 0, http2.ErrCodeProtocol},
		{"a stream opened twice", func(c *frameClient) error { c.request(1, true); return nil }, 0, http2.ErrCodeProtocol},
		{"a stream with an even number", func(c *frameClient) error { c.request(4, true); return nil }, 0, http2.ErrCodeProtocol},
		{"a push", func(c *frameClient) error {
			return c.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: c.headers(), EndHeaders: true})
		}, 0, http2.ErrCodeProtocol},
		{"a frame over the announced size", func(c *frameClient) error { _ = c.WriteData(1, true, make([]byte, 16<<10+1)); return nil }, 0, http2.ErrCodeFrameSize},
		{"too much window for the connection", func(c *frameClient) error { return c.WriteWindowUpdate(0, 1<<31-1) }, 0, http2.ErrCodeFlowControl},
	}
	for _, row := range rows {
		t.Run(row.title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handlers := &crowd{wait: func(*http.Request) {}}
				c := serveFrames(t, handlers.serve, false).open(t)
				c.request(1, true)
				if got := status(c.take(), 1); got != "204" {
					t.Fatalf("status %q, want 204", got)
				}
				c.must(row.send(c))
				got := c.take()
				if row.stream == 0 {
					away := only(got, http2.FrameGoAway)
					if len(away) != 1 || away[0].code != row.code {
						t.Fatalf("got %+v, want GOAWAY %v", got, row.code)
					}
					time.Sleep(2 * time.Second)
					if c.over() == 0 {
						t.Error("the connection stays open")
					}
				} else {
					reset := only(got, http2.FrameRSTStream)
					if len(reset) != 1 || reset[0].StreamID != row.stream || reset[0].code != row.code {
						t.Fatalf("got %+v, want RST_STREAM %v", got, row.code)
					}
					c.request(3, true)
					if got := status(c.take(), 3); got != "204" {
						t.Errorf("status %q for the next call, want 204", got)
					}
				}
				if n := handlers.begun.Load(); n != 1 && row.stream == 0 {
					t.Errorf("%d handlers ran, want one", n)
				}
			})
		})
	}
}
