package connections

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
)

// A preface in pieces is one, and nothing behind it is lost.
func TestPrefaceInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, peer := connect(t, clientPreface[:5], nil)
		defer c.Close()
		go func() {
			_, _ = io.WriteString(peer, clientPreface[5:20])
			_, _ = io.WriteString(peer, clientPreface[20:]+"frames")
		}()
		readFull(t, c, []byte(clientPreface[5:]))
		readFull(t, c, []byte("frames"))
		if !c.http2.Load() {
			t.Error("the connection is not HTTP/2 after the client's preface")
		}
	})
}

// A peer that does not stop sending does not keep the processor: other goroutines, such as the handlers of its requests, run before each
// frame.
func TestReadingLetsOthersRun(t *testing.T) {
	const frames = 50
	var yields atomic.Int32
	below, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{Handler: http.NotFoundHandler(), Protocols: protocols}
	Attach(srv)
	l := NewGroup(Limits{Max: 1, MaxPerAddress: 1, HeadLines: 100}).Listen(below, nil)
	l.yield = func() { yields.Add(1) }
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", below.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	err = errors.Join(err, framer.WriteSettings())
	for range frames {
		err = errors.Join(err, framer.WriteWindowUpdate(0, 1)) // of which the server says nothing
	}
	if err = errors.Join(err, framer.WritePing(false, [8]byte{})); err != nil {
		t.Fatal(err)
	}
	for acknowledged := false; !acknowledged; {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		ping, ok := frame.(*http2.PingFrame)
		acknowledged = ok && ping.IsAck()
	}
	if n := yields.Load(); n < frames {
		t.Errorf("%d turns of others for %d frames", n, frames)
	}
	_ = conn.Close()
	_ = srv.Close()
	<-served
	l.Finish()
}
