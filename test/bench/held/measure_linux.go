package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type result struct {
	sent         int64 // bytes
	before, most int64 // resident, in bytes
}

// measure runs one attack and looks at the server's memory meanwhile.
func measure(ctx context.Context, o options, attack func(io.Writer) error) (result, error) {
	if o.at == "" {
		child, err := startChild(ctx, o.secure)
		if err != nil {
			return result{}, err
		}
		defer child.stop()
		o.at, o.pid = child.at, child.pid
	}
	var r result
	var err error
	if r.before, err = resident(o.pid); err != nil {
		return r, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var sent, ready atomic.Int64
	var running sync.WaitGroup
	for i := range o.connections {
		running.Go(func() {
			once := sync.OnceFunc(func() { ready.Add(1) })
			for ctx.Err() == nil { // a caller that is hung up on comes again
				_ = assail(ctx, o, i, attack, &sent, once)
				once()
			}
		})
	}
	until := time.Now().Add(20 * time.Second)
	arrived := false
	for now := range time.Tick(20 * time.Millisecond) {
		rss, err := resident(o.pid)
		if err != nil {
			stop()
			return r, fmt.Errorf("the server is gone: %w", err)
		}
		r.most = max(r.most, rss)
		if !arrived && int(ready.Load()) == o.connections {
			arrived, until = true, now.Add(o.hold)
		}
		if now.After(until) || ctx.Err() != nil {
			break
		}
	}
	r.sent = sent.Load()
	stop()
	running.Wait()
	return r, nil
}

// assail makes one connection and lets it be until the server has had enough of it.
func assail(ctx context.Context, o options, i int, attack func(io.Writer) error, sent *atomic.Int64, there func()) error {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i%o.sources/200), byte(1+i%o.sources%200))}
	conn, err := (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp", o.at)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	next := time.NewTicker(100 * time.Millisecond)
	defer next.Stop()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // it reads nothing
	}
	var out net.Conn = conn
	if o.secure {
		if out, err = handshake(ctx, conn); err != nil {
			return err
		}
	}
	if err := attack(countingWriter{out, sent}); err != nil {
		return err
	}
	there()
	// Nothing is read: what the server says stays with it. A write tells when it has hung up.
	for ctx.Err() == nil {
		if _, err := conn.Write(nil); err != nil {
			return err
		}
		if gone(conn) {
			return io.EOF
		}
		<-next.C
	}
	return ctx.Err()
}

type countingWriter struct {
	io.Writer
	n *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n.Add(int64(n))
	return n, err
}

// resident reads how much of a process is in memory.
func resident(pid int) (int64, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(data, []byte("VmRSS:"))
	if !ok {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	var kib int64
	if _, err := fmt.Sscan(string(rest[:min(len(rest), 40)]), &kib); err != nil {
		return 0, err
	}
	return kib << 10, nil
}
