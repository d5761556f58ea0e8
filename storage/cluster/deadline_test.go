package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.org/avatard/storage"
)

// network is the way to the database.
type network struct {
	down  atomic.Bool // what is sent is kept, and the sender sees that the connection is lost
	mu    sync.Mutex
	conns []*networkConn // those that hold something
}

type networkConn struct {
	net.Conn
	n    *network
	kept []byte
	lost chan struct{}
	once sync.Once
}

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	if n.down.Load() {
		return nil, errors.New("the network is down")
	}
	conn, err := new(net.Dialer).DialContext(ctx, kind, address)
	return &networkConn{Conn: conn, n: n, lost: make(chan struct{})}, err
}

func (c *networkConn) Write(p []byte) (int, error) {
	if !c.n.down.Load() {
		return c.Conn.Write(p)
	}
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.kept == nil {
		c.n.conns = append(c.n.conns, c)
	}
	c.kept = append(c.kept, p...)
	c.once.Do(func() {
		close(c.lost)
		_ = c.SetReadDeadline(time.Unix(1, 0)) // the reader is told
	})
	return len(p), nil
}

// SetReadDeadline keeps the deadline of a connection that is lost.
func (c *networkConn) SetReadDeadline(t time.Time) error {
	select {
	case <-c.lost:
		t = time.Unix(1, 0)
	default:
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *networkConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close of a lost connection leaves what is on its way.
func (c *networkConn) Close() error {
	select {
	case <-c.lost:
		return nil
	default:
		return c.Conn.Close()
	}
}

// deliver sends what was kept to the server, and returns when that has answered.
func (n *network) deliver(t *testing.T) {
	t.Helper()
	n.down.Store(false)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.conns) == 0 {
		t.Fatal("nothing was kept")
	}
	for _, c := range n.conns {
		if _, err := c.Conn.Write(c.kept); err != nil {
			t.Fatal(err)
		}
		if err := c.Conn.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Conn.Read(make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
		_ = c.Conn.Close()
	}
	n.conns = nil
}

// A change whose statement arrives after its caller had an answer does not undo what was acknowledged since.
func TestStatementThatArrivesLate(t *testing.T) {
	o := options(t, true)
	there := openStore(t, o)
	n := new(network)
	o.dial, o.Connections = n.dial, 1
	here := openStore(t, o)
	here.stepLimit = 50 * time.Millisecond
	u := addUser(t, here, "u")
	for name, call := range map[string]func() error{
		"Remove":    func() error { _, err := here.Remove(t.Context(), removalOf(u)); return err },
		"EraseUser": func() error { _, err := here.EraseUser(t.Context(), removalOf(u)); return err },
		"MoveUser":  func() error { _, _, err := here.MoveUser(t.Context(), u, "other", by); return err },
		"Put":       func() error { _, err := here.Put(t.Context(), uploadOf(u, 700)); return err },
	} {
		if _, err := there.AddOrganization(t.Context(), "other", by); err != nil {
			t.Fatal(err)
		}
		if _, _, err := there.AddUser(t.Context(), u, acme, readmitting); err != nil {
			t.Fatal(err)
		}
		if err := call(); err != nil { // the statements are prepared
			t.Fatal(err)
		}
		if name == "MoveUser" {
			if _, _, err := there.MoveUser(t.Context(), u, acme, by); err != nil {
				t.Fatal(err)
			}
		} else if _, _, err := there.AddUser(t.Context(), u, acme, readmitting); err != nil {
			t.Fatal(err)
		}
		n.down.Store(true)
		if err := call(); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s whose connection is lost = %v, want %v", name, err, storage.ErrUnavailable)
		}
		generation := put(t, there, u)
		n.deliver(t)
		info, err := there.Stat(t.Context(), u, acme)
		if err != nil || info.Generation != generation {
			t.Errorf("after %s has arrived: %+v, %v, want generation %s", name, info, err, generation)
		}
		var claims int
		if err := sql(t, o).QueryRow(t.Context(), `SELECT count(*) FROM person WHERE claim IS NOT NULL`).Scan(&claims); err != nil || claims > 0 {
			t.Errorf("after %s has arrived: %d claims, %v", name, claims, err)
		}
	}
}
