package server

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
)

// listening is a server that Serve, or ServeTLS, runs on a real socket.
type listening struct {
	net.Listener
	address string
	stop    context.CancelFunc
	served  chan error // what Serve returned
}

// listen starts to serve on a socket of the server's own. It ends with stop, or with the test.
func (f *fixture) listen(t *testing.T, secure bool) *listening {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	l := &listening{Listener: ln, address: ln.Addr().String(), stop: stop, served: make(chan error, 1)}
	if !secure {
		go func() { l.served <- f.server.Serve(ctx, ln) }()
		return l
	}
	certificate := selfSigned(t, "localhost")
	go func() {
		l.served <- f.server.ServeTLS(ctx, ln, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil })
	}()
	return l
}

// end stops the server, which must end without an error.
func (l *listening) end(t *testing.T) {
	t.Helper()
	l.stop()
	if err := <-l.served; err != nil {
		t.Error(err)
	}
}

// pipes is a network of one address, in memory.
type pipes struct {
	dialled chan net.Conn
	closing sync.Once
	closed  chan struct{}
}

func newPipes() *pipes { return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})} }

// Accept, Close and Addr make it a net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.closing.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.IPAddr{IP: net.IPv6loopback} }

// dial has the arguments of [net/http.Transport.DialContext], and looks at none of them.
func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.dialled <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
