package connections

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
)

// sentAll is a connection whose peer has sent everything: reads end after the rest of its data, and writes still arrive.
type sentAll struct {
	net.Conn
	left io.Reader
}

func (c sentAll) Read(p []byte) (int, error) { return c.left.Read(p) }

// accepted is a listener that has one connection, and then none until it is closed.
type accepted struct {
	net.Listener
	conns chan net.Conn
	close sync.Once
}

func (l *accepted) Accept() (net.Conn, error) {
	if conn, ok := <-l.conns; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l *accepted) Close() error {
	l.close.Do(func() { close(l.conns) })
	return nil
}

// The end of a peer's data is held back while its request is being served: the call is not cancelled, and is answered. The connection ends
// after that.
func TestEndIsHeldBackDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &accepted{conns: make(chan net.Conn, 1)}
		l := NewGroup(Limits{Max: 1, MaxPerAddress: 1, HeadLines: 100}).Listen(source, nil)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			synctest.Wait() // net/http has read ahead
			w.Header().Set("Held", map[bool]string{true: "yes", false: "no"}[Of(r.Context()).HoldsEnd()])
			if r.Context().Err() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})}
		Attach(srv)
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		near, peer := net.Pipe()
		request, send := io.Pipe()
		source.conns <- sentAll{near, request}
		go func() {
			_, _ = io.WriteString(send, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n")
			_ = send.Close()
		}()
		answers := bufio.NewReader(peer)
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || res.Header.Get("Held") != "yes" {
			t.Errorf("%v, want 200 and that the end was held back", res)
		}
		if _, err := answers.ReadByte(); err != io.EOF {
			t.Errorf("after the answer: %v, want the end", err)
		}
		_ = srv.Close()
		<-served
		l.Finish()
	})
}
