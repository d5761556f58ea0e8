package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"golang.org/x/net/http2"

	"example.org/avatard/storage"
)

// get asks for a user's picture from an address.
func (c *frameClient) get(stream uint32, user, address string, fields ...string) {
	c.t.Helper()
	path := "/assets/v1/" + acme + "/users/" + user + "/avatar"
	c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: true,
		BlockFragment: c.headersOf(http.MethodGet, path, append([]string{"x-address", address}, fields...)...)}))
}

// dataOf returns the size of a stream's body so far.
func dataOf(got []frame, stream uint32) (n int) {
	for _, f := range only(got, http2.FrameData) {
		if f.StreamID == stream {
			n += f.data
		}
	}
	return n
}

// largePicture has as many bytes as a picture may have.
func largePicture() []byte { return make([]byte, storage.MaxPictureBytes) }

// Readers at forty addresses ask for as many and as large pictures as they may, and take nothing. Other readers are served at once, also
// without a token.
func TestSlowReadersHoldUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := serveShelf(t, map[string][]byte{alice: largePicture(), bob: make([]byte, 200<<10)}, false)
		slow := 0
		for address := range 40 {
			c := server.open(t) // windows of 64 KiB, the default
			for range 8 {
				c.get(c.next(), alice, "192.0.2."+strconv.Itoa(address))
				slow++
			}
			c.take()
		}
		served := func(when string) {
			t.Helper()
			began := time.Now()
			c := server.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			c.must(c.WriteWindowUpdate(0, 1<<20))
			c.get(1, bob, "198.51.100.1")
			c.get(3, bob, "198.51.100.2", "authorization", "Bearer alice-token-1")
			got := c.take()
			for _, stream := range []uint32{1, 3} {
				if n := dataOf(got, stream); status(got, stream) != "200" || n != 200<<10 || time.Since(began) != 0 {
					t.Errorf("%s: status %q and %d bytes after %v, want all of it at once", when, status(got, stream), n, time.Since(began))
				}
			}
			_ = c.conn.Close()
		}
		served("at once")
		time.Sleep(2 * time.Second)
		for range 10 {
			served("once they are slow")
		}
		if st := s.strangers.bytes.stats(); st.Used > st.Size || st.Evicted == 0 || st.Waiting != 0 || int(st.Evicted) > slow {
			t.Errorf("stats %+v", st)
		}
	})
}

// A reader who waits for others at their own address gets 503 after a second.
func TestCrowdedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := serveShelf(t, map[string][]byte{alice: make([]byte, 1000)}, false)
		here := semaphoreKey{address: netip.MustParseAddr("192.0.2.1")}
		for _, all := range []*keyedSemaphore{s.strangers.bytes, s.strangers.turns} {
			var share lease
			if err := all.acquire(t.Context(), &share, here, all.each, nil); err != nil {
				t.Fatal(err)
			}
			c := server.open(t)
			c.get(1, alice, "192.0.2.1")
			c.get(3, alice, "192.0.2.2")
			if got := c.take(); status(got, 3) != "200" || status(got, 1) != "" {
				t.Errorf("status %q here and %q elsewhere, want none yet and 200", status(got, 1), status(got, 3))
			}
			time.Sleep(readPatience)
			got := c.take()
			if len(got) == 0 || status(got, 1) != "503" || valueOf(got[0].fields, "retry-after") != "1" {
				t.Errorf("after %v: %+v, want 503 with retry-after", readPatience, got)
			}
			share.release()
			c.get(5, alice, "192.0.2.1")
			if got := c.take(); status(got, 5) != "200" {
				t.Errorf("with room: status %q, want 200", status(got, 5))
			}
		}
	})
}

// rawGet asks for a user's picture over a connection with windows that nothing fills, HTTP/2 unless http1.
func rawGet(t *testing.T, server *frameServer, http1 bool, user string) net.Conn {
	t.Helper()
	if http1 {
		conn := server.connect(t)
		if _, err := fmt.Fprintf(conn, "GET /assets/v1/%s/users/%s/avatar HTTP/1.1\r\nHost: x\r\n\r\n", acme, user); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	c := server.dial(t)
	go func() { // the server's preface is in the way
		c.preface(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		_ = c.WriteWindowUpdate(0, 1<<30)
		c.get(1, user, "192.0.2.1")
	}()
	if secure, ok := c.conn.(*tls.Conn); ok {
		return secure.NetConn() // where nothing is read ahead
	}
	return c.conn
}

// However a reader takes a picture, nothing of it reaches the reader more than MaxReadDuration after it began, and no memory is held for
// it longer.
func TestReadsEndInTime(t *testing.T) {
	for _, transport := range []string{"HTTP/1", "HTTP/2", "TLS"} {
		for title, take := range map[string]func(conn net.Conn) error{
			"nothing": func(net.Conn) error { return nil },
			"a byte every now and then": func(conn net.Conn) error {
				for began := time.Now(); time.Since(began) < MaxReadDuration-time.Second; time.Sleep(900 * time.Millisecond) {
					if _, err := conn.Read(make([]byte, 1)); err != nil {
						return err
					}
				}
				return nil
			},
			"a lot, and then nothing": func(conn net.Conn) error {
				for began := time.Now(); time.Since(began) < MaxReadDuration-time.Second; time.Sleep(100 * time.Millisecond) {
					if _, err := io.ReadFull(conn, make([]byte, 5000)); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			t.Run(transport+", "+title, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, server := serveShelf(t, map[string][]byte{alice: largePicture()}, transport == "TLS")
					conn := rawGet(t, server, transport == "HTTP/1", alice)
					began := time.Now()
					if err := take(conn); err != nil {
						t.Fatalf("after %v: %v", time.Since(began), err)
					}
					time.Sleep(time.Until(began.Add(MaxReadDuration + time.Millisecond)))
					synctest.Wait()
					if st := s.strangers.bytes.stats(); st.Used != 0 {
						t.Errorf("%d bytes are held after %v", st.Used, time.Since(began))
					}
					if n, err := io.Copy(io.Discard, conn); n > 0 {
						t.Errorf("%d bytes came after %v, then %v", n, time.Since(began), err)
					}
				})
			})
		}
	}
}

// A stream whose window is closed is reset in time, and everything else on its connection goes on.
func TestClosedWindowEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := serveShelf(t, map[string][]byte{alice: largePicture(), bob: make([]byte, 100)}, false)
		c := server.open(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
		c.get(1, alice, "192.0.2.1")
		c.take()
		stream := uint32(3)
		for range 2 * MaxReadDuration / time.Second {
			c.get(stream, bob, "192.0.2.1")
			got := c.take()
			if status(got, stream) != "200" || dataOf(got, stream) != 100 {
				t.Fatalf("a call beside it: %+v", got)
			}
			for _, f := range only(got, http2.FrameRSTStream) {
				if f.StreamID != 1 || f.at > MaxReadDuration {
					t.Errorf("stream %d reset after %v", f.StreamID, f.at)
				}
				if st := s.strangers.bytes.stats(); st.Used != 0 || c.over() != 0 {
					t.Errorf("stats %+v, connection over after %v", st, c.over())
				}
				return
			}
			stream += 2
			time.Sleep(time.Second)
		}
		t.Error("the stream was not reset")
	})
}

// The bytes of a reader who is evicted are overwritten and let go of at that moment, whatever the connection is stuck in. The connection
// is closed.
func TestWhoGivesWayHoldsNothing(t *testing.T) {
	for _, http1 := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := &givenAway{}
			s, server := serveShelf(t, map[string][]byte{alice: largePicture()}, false)
			store.Store, s.config.Store = s.config.Store, store
			conn := rawGet(t, server, http1, alice)
			synctest.Wait()
			time.Sleep(slowAfter)
			s.strangers.bytes.mu.Lock()
			victim := s.strangers.bytes.oldest
			s.strangers.bytes.revoke(victim)
			s.strangers.bytes.mu.Unlock()
			victim.holder.evict()
			runtime.GC()
			if store.last.Value() != nil {
				t.Errorf("HTTP/1 %v: the picture is still in memory", http1)
			}
			time.Sleep(breakOff)
			synctest.Wait()
			if n, _ := io.Copy(io.Discard, conn); n > 0 {
				t.Errorf("HTTP/1 %v: %d bytes came %v after it gave way", http1, n, breakOff)
			}
		})
	}
}

// givenAway remembers the last picture it gave away without keeping it.
type givenAway struct {
	storage.Store
	last weak.Pointer[byte]
}

func (g *givenAway) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	p, err := g.Store.Get(ctx, user, org)
	if len(p.Data) > 0 {
		g.last = weak.Make(&p.Data[0])
	}
	return p, err
}

// A connection over HTTP/1 is used again after a picture, one over HTTP/2 as well.
func TestReadsKeepTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := serveShelf(t, map[string][]byte{alice: largePicture()}, false)
		conn := server.connect(t)
		answers := bufio.NewReader(conn)
		for range 3 {
			go func() {
				_, _ = fmt.Fprintf(conn, "GET /assets/v1/%s/users/%s/avatar HTTP/1.1\r\nHost: x\r\n\r\n", acme, alice)
			}()
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, res.Body); n != storage.MaxPictureBytes || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			time.Sleep(2 * MaxReadDuration)
		}
	})
}

// keptWriter fails and keeps the bytes of the write, as an HTTP/2 connection may for a moment.
type keptWriter struct {
	http.ResponseWriter
	kept []byte
}

func (w *keptWriter) Write(p []byte) (int, error) {
	w.kept = p
	return 0, io.ErrClosedPipe
}

// The bytes of a write that failed are neither changed nor used for another picture.
func TestFailedWriteKeepsItsPiece(t *testing.T) {
	for _, large := range []bool{true, false} {
		data := bytes.Repeat([]byte{7}, sendPiece)
		w := &keptWriter{}
		first := &outgoingPicture{large: large, data: data, whole: data}
		first.write(w)
		clear(first.whole) // as end does
		another := bytes.Repeat([]byte{9}, sendPiece)
		(&outgoingPicture{large: true, data: another, whole: another}).write(&keptWriter{})
		if len(w.kept) != sendPiece || bytes.Count(w.kept, []byte{7}) != sendPiece {
			t.Errorf("large %v: the piece has changed: %d of %d bytes are as they were", large, bytes.Count(w.kept, []byte{7}), sendPiece)
		}
	}
}
