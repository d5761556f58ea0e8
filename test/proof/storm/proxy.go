package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands in front of a server. What it does to connections is up to the weather.
type proxy struct {
	weather
	address string // where it listens
	server  string // whose front it is
	serve   func(ctx context.Context, p *proxy, client net.Conn)

	listener net.Listener
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup // connections, and what is delivered later
	open     sync.Map       // connections
}

// newProxy listens on loopback.
func newProxy(server string, serve func(ctx context.Context, p *proxy, client net.Conn)) (*proxy, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{address: listener.Addr().String(), server: server, serve: serve, listener: listener}
	p.ctx, p.stop = context.WithCancel(context.Background())
	go p.accept()
	return p, nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		p.open.Store(client, true)
		p.running.Go(func() {
			defer p.open.Delete(client)
			defer func() { _ = client.Close() }()
			p.serve(p.ctx, p, client)
		})
	}
}

func (p *proxy) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", p.server)
}

// cutAll ends all connections.
func (p *proxy) cutAll() {
	p.open.Range(func(conn, _ any) bool {
		_ = conn.(net.Conn).Close()
		return true
	})
}

// close ends the proxy.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.stop()
	p.cutAll()
	p.running.Wait()
}

// copyBytes is the proxy of a protocol that it does not understand.
func copyBytes(ctx context.Context, p *proxy, client net.Conn) {
	server, err := p.dial(ctx)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	var losing atomic.Bool
	var answers sync.WaitGroup
	answers.Go(func() {
		defer func() { _ = client.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 && !losing.Load() {
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil || losing.Load() {
				return
			}
		}
	})
	defer answers.Wait()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if n > 0 && !p.forward(ctx, client, server, buf[:n], &losing) {
			return
		}
		if err != nil { // the other side is told only of the end: what was sent is not taken back
			_ = server.(*net.TCPConn).CloseWrite()
			return
		}
	}
}

// forward sends what a client has sent. It reports false when the connection is over.
func (p *proxy) forward(ctx context.Context, client, server net.Conn, data []byte, losing *atomic.Bool) bool {
	f, wait := p.strike()
	switch f {
	case hold:
		pause(ctx, wait)
	case cut:
		_ = server.Close()
		return false
	case lose:
		losing.Store(true)
	case late:
		losing.Store(true)
		_ = client.Close()
		pause(ctx, wait)
		_, _ = server.Write(data)
		_ = server.(*net.TCPConn).CloseWrite()
		_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
		return false
	}
	_, err := server.Write(data)
	return err == nil
}
