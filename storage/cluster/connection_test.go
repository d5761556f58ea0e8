package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/internal/bucket"
)

// breaking makes connections to the bucket, the next ones of which break: before they are there, or in place of the answer.
type breaking struct {
	left    atomic.Int64
	refused bool
	answer  error
}

func (b *breaking) dial(ctx context.Context, network, address string) (net.Conn, error) {
	breaks := b.left.Add(-1) >= 0
	if breaks && b.refused {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil && breaks {
		conn = &broken{conn, b.answer}
	}
	return conn, err
}

// broken is a connection that breaks when the answer has come.
type broken struct {
	net.Conn
	err error
}

func (b *broken) Read(p []byte) (int, error) {
	if _, err := b.Conn.Read(p); err != nil {
		return 0, err
	}
	return 0, b.err
}

// A connection to the bucket that breaks is nobody's trouble: what may be asked for twice is. A picture is never sent twice.
func TestConnectionsThatBreak(t *testing.T) {
	for name, b := range map[string]*breaking{
		"refused": {refused: true},
		"reset":   {answer: &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}},
		"ended":   {answer: io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time, for the next try
			o := options(t, true)
			o.Bucket.Transport = &http.Transport{DialContext: b.dial, DisableKeepAlives: true}
			s := openStore(t, o)
			s.sweeping() // its requests would take the breaks
			u := addUser(t, s, "u")
			put(t, s, u)
			breakNext := func(n int64) (before bucket.Counts) {
				b.left.Store(n)
				return s.bucket.Requests.Counts()
			}
			before := breakNext(2)
			if p, err := s.Get(t.Context(), u, acme); err != nil || len(p.Data) != 3000 {
				t.Errorf("Get = %d bytes, %v", len(p.Data), err)
			}
			if n := s.bucket.Requests.Counts().Get - before.Get; n != 3 {
				t.Errorf("Get sent %d requests, want 3", n)
			}
			breakNext(2)
			remove(t, s, u)
			if left := listed(t, o); len(left) > 0 {
				t.Errorf("listed: %v", left)
			}
			put(t, s, u)
			breakNext(1000)
			if _, err := s.Remove(t.Context(), removalOf(u)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Remove while every connection breaks = %v, want %v", err, storage.ErrUnavailable)
			}
			breakNext(0)
			remove(t, s, u)
			before = breakNext(1)
			if _, err := s.Put(t.Context(), uploadOf(u, 500)); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("Put = %v, want %v", err, storage.ErrUnavailable)
			}
			if n := s.bucket.Requests.Counts().Put - before.Put; n != 1 {
				t.Errorf("Put sent %d requests, want 1", n)
			}
			if left := listed(t, o); len(left) > 0 {
				t.Errorf("listed after the upload: %v", left)
			}
		})
	}
}
