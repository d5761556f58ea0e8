package connections

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countedConn counts the calls of a Conn to the connection below it.
type countedConn struct {
	net.Conn
	writes, deadlines atomic.Int32
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.deadlines.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

// oneConn is a listener that has one connection.
type oneConn struct {
	net.Listener
	conn net.Conn
}

func (l oneConn) Accept() (net.Conn, error) { return l.conn, nil }

// connect returns a connection that has read preface, what is below it, and its peer. A write on it ends when the peer has read
// all of it. yield stands for the turn of the other goroutines; nil = they have one.
func connect(t *testing.T, preface string, yield func()) (*Conn, *countedConn, net.Conn) {
	t.Helper()
	near, peer := net.Pipe()
	below := &countedConn{Conn: near}
	l := NewGroup(Limits{Max: 1, MaxPerAddress: 1, HeadLines: 100}).Listen(oneConn{conn: below}, nil)
	if yield != nil {
		l.yield = yield
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(peer, preface) }()
	if _, err := io.ReadFull(conn, make([]byte, len(preface))); err != nil {
		t.Fatal(err)
	}
	return conn.(*Conn), below, peer
}

// readFull reads as many bytes as want has and compares them.
func readFull(t *testing.T, from io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the peer read %.60q, %v, want %.60q", got, err, want)
	}
}

func mustWrite(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	if n, err := c.Write(p); n != len(p) || err != nil {
		t.Errorf("Write(%.20q) = %d, %v", p, n, err)
	}
}

// Bytes that are written while other goroutines run leave together, in order, up to maxCoalesced bytes. A larger piece is
// written at once, behind those that wait.
func TestWritesAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *Conn
		later := []string{"data", "trailers"}
		c, below, peer := connect(t, clientPreface, func() {
			if len(later) > 0 {
				mustWrite(t, c, []byte(later[0]))
				later = later[1:]
			}
		})
		defer c.Close()
		mustWrite(t, c, []byte("headers"))
		readFull(t, peer, []byte("headersdatatrailers"))
		synctest.Wait()
		if n := below.writes.Load(); n != 1 {
			t.Errorf("%d writes, want 1 for all three pieces", n)
		}

		large := bytes.Repeat([]byte("L"), maxCoalesced)
		later = []string{string(large)}
		mustWrite(t, c, []byte("small"))
		readFull(t, peer, []byte("small"+string(large)))
		synctest.Wait()
		mustWrite(t, c, []byte("last"))
		readFull(t, peer, []byte("last"))
		synctest.Wait()
		if n := below.writes.Load(); n != 4 {
			t.Errorf("%d writes, want 4: those before, the small piece, the large one, the last", n)
		}
	})
}

// While the peer does not take what is being written, nothing is buffered: writers wait.
func TestWritersWaitForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, below, peer := connect(t, clientPreface, nil)
		defer c.Close()
		mustWrite(t, c, []byte("first"))
		synctest.Wait() // it is being written now
		var taken atomic.Int32
		for range 3 {
			go func() {
				mustWrite(t, c, []byte("x"))
				taken.Add(1)
			}()
		}
		synctest.Wait()
		if n := taken.Load(); n != 0 {
			t.Errorf("%d more pieces were taken although the peer reads nothing", n)
		}
		readFull(t, peer, []byte("firstxxx"))
		synctest.Wait()
		if n := taken.Load(); n != 3 || below.writes.Load() > 4 {
			t.Errorf("%d pieces were taken in the end, in %d writes; want 3 in at most 4", n, below.writes.Load())
		}
	})
}

// A peer that does not take a write loses its connection after writeTimeout, and taking a byte every now and then does not postpone
// that.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := connect(t, clientPreface, nil)
		mustWrite(t, c, []byte("0123456789"))
		began := time.Now()
		time.Sleep(2*LeastWriteTime - writeTimeout)
		if _, err := peer.Read(make([]byte, 1)); err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection lives on though its peer takes nothing")
		}
		if took := time.Since(began); took < LeastWriteTime || took > writeTimeout {
			t.Errorf("it ended after %v", took)
		}
		if n, err := c.Write([]byte("more")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write after that = %d, %v, want the time-out", n, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		c.listener.Finish()
	})
}

// Bytes that were written before Close leave, and Close does not wait for that.
func TestCloseWritesWhatIsPending(t *testing.T) {
	for _, when := range []string{"pending", "being written", "neither"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c *Conn
				shut := func() {
					if err := c.Close(); err != nil {
						t.Errorf("Close = %v", err)
					}
				}
				var once sync.Once
				c, _, peer := connect(t, clientPreface, func() {
					if when == "pending" {
						once.Do(shut)
					}
				})
				mustWrite(t, c, []byte("all of it"))
				synctest.Wait()
				switch when {
				case "being written":
					shut()
				case "neither":
					readFull(t, peer, []byte("all of it"))
					synctest.Wait()
					shut()
				}
				want := "all of it"
				if when == "neither" {
					want = ""
				}
				if got, err := io.ReadAll(peer); err != nil || string(got) != want {
					t.Errorf("the peer read %q, %v, want %q", got, err, want)
				}
				if _, err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write after Close = %v, want ErrClosed", err)
				}
				if err := c.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("second Close = %v, want ErrClosed", err)
				}
				c.listener.Finish()
			})
		})
	}
}

// A peer that takes nothing does not keep a closed connection open.
func TestCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := connect(t, clientPreface, nil)
		mustWrite(t, c, []byte("nobody reads this"))
		synctest.Wait()
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if n, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("Read after Close = %d bytes", n)
		}
		c.listener.Finish()
		if took := time.Since(began); took != closeGrace {
			t.Errorf("open for %v after Close, want %v", took, closeGrace)
		}
	})
}

// Setting the deadline of the connection costs a timer each time, so it is renewed once in a while only.
func TestWriteDeadlineIsRarelySet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, below, peer := connect(t, clientPreface, nil)
		defer c.Close()
		for range 100 {
			if err := c.SetWriteDeadline(time.Now()); err != nil { // net/http does so around each of its writes
				t.Fatal(err)
			}
			mustWrite(t, c, []byte("."))
			readFull(t, peer, []byte("."))
			time.Sleep(10 * time.Millisecond)
		}
		if n := below.deadlines.Load(); n != 1 {
			t.Errorf("%d write deadlines in a second, want 1", n)
		}
	})
}

// HTTP/1 is passed on as it is, with its deadlines, and so is what only begins like HTTP/2: an answer there is one write already.
func TestHTTP1PassesThrough(t *testing.T) {
	for _, begin := range []string{"GET / HTTP/1.1\r\n\r\n", "PRI / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n",
		"P" + clientPreface, clientPreface[:len(clientPreface)-1]} {
		synctest.Test(t, func(t *testing.T) {
			c, below, peer := connect(t, begin, nil)
			done := make(chan struct{})
			go func() {
				defer close(done)
				mustWrite(t, c, []byte("one"))
				mustWrite(t, c, []byte("two"))
			}()
			readFull(t, peer, []byte("onetwo"))
			<-done
			if n := below.writes.Load(); n != 2 {
				t.Errorf("%q: %d writes, want 2", begin, n)
			}
			if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil || below.deadlines.Load() != 1 {
				t.Errorf("%q: SetDeadline = %v, %d write deadlines below, want 1", begin, err, below.deadlines.Load())
			}
			if _, err := c.Write([]byte("nobody reads this")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%q: Write past the deadline = %v", begin, err)
			}
			if err := c.Close(); err != nil {
				t.Errorf("%q: Close = %v", begin, err)
			}
			c.listener.Finish()
		})
	}
}
