package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"example.org/avatard/server/internal/connections"
)

// The tests in frames_*_test.go speak HTTP/2 frame by frame (RFC 9113) to the server that NewHTTPServer returns, on the
// connections that Serve hands to it. They run on the fake clock of synctest and over connections in memory, so that the
// server's own time-outs pass at once and "nothing more comes" is a fact and not a guess.

// frameServer serves in one synctest bubble.
type frameServer struct {
	network *pipes
	tls     bool
}

// serveFrames starts a server that ends with the test.
func serveFrames(t *testing.T, handler http.HandlerFunc, secure bool) *frameServer {
	t.Helper()
	s := &frameServer{network: newPipes(), tls: secure}
	srv := NewHTTPServer(handler, nil)
	var config *tls.Config
	if secure {
		config = encryption(nil)
		config.Certificates = []tls.Certificate{selfSigned(t, "localhost")}
	}
	listener := connections.NewGroup(connections.Limits{Max: 1 << 10, MaxPerAddress: 1 << 10, HeadLines: maxHeadLines}).Listen(s.network, config)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		time.Sleep(time.Minute) // connections that were told to go away end a little later
		listener.Finish()
	})
	return s
}

// connect opens a connection, without TLS, and sends nothing on it.
func (s *frameServer) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := s.network.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// dial opens a connection, with TLS where the server has it, and sends no frame on it.
func (s *frameServer) dial(t *testing.T) *frameClient {
	t.Helper()
	here := s.connect(t)
	c := &frameClient{t: t, conn: here, began: time.Now()}
	if s.tls {
		secure := tls.Client(here, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := secure.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if proto := secure.ConnectionState().NegotiatedProtocol; proto != "h2" {
			t.Fatalf("ALPN chose %q, want h2", proto)
		}
		c.conn = secure
	}
	c.Framer = http2.NewFramer(c.conn, c.conn)
	c.encoder = hpack.NewEncoder(&c.block)
	t.Cleanup(func() { _ = c.conn.Close() })
	return c
}

// frameClient is the client's end of a connection. Its Framer writes; what the server sends is collected by listen.
type frameClient struct {
	*http2.Framer
	t       *testing.T
	conn    net.Conn
	began   time.Time
	block   bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32 // of the last call of next

	mu    sync.Mutex
	got   []frame
	ended time.Duration // when the server ended the connection, at least 1 ns; 0 = not yet
}

// frame is what came from the server, and when.
type frame struct {
	http2.FrameHeader
	at       time.Duration // since the connection was opened
	settings []http2.Setting
	fields   []hpack.HeaderField // of a header block
	data     int                 // bytes
	code     http2.ErrCode       // of RST_STREAM and GOAWAY
	last     uint32              // of GOAWAY
	added    uint32              // of WINDOW_UPDATE
	ping     [8]byte
}

// listen begins to read what the server sends. Until then the server's writes block.
func (c *frameClient) listen() {
	go func() {
		decoder := hpack.NewDecoder(4096, nil)
		c.SetMaxReadFrameSize(1 << 20)
		for {
			in, err := c.ReadFrame()
			c.mu.Lock()
			if err != nil {
				c.ended = max(time.Since(c.began), 1)
				c.mu.Unlock()
				return
			}
			f := frame{FrameHeader: in.Header(), at: time.Since(c.began)}
			switch in := in.(type) {
			case *http2.SettingsFrame:
				_ = in.ForeachSetting(func(s http2.Setting) error { f.settings = append(f.settings, s); return nil })
			case *http2.HeadersFrame:
				f.fields, err = decoder.DecodeFull(in.HeaderBlockFragment())
			case *http2.DataFrame:
				f.data = len(in.Data())
			case *http2.RSTStreamFrame:
				f.code = in.ErrCode
			case *http2.GoAwayFrame:
				f.code, f.last = in.ErrCode, in.LastStreamID
			case *http2.WindowUpdateFrame:
				f.added = in.Increment
			case *http2.PingFrame:
				f.ping = in.Data
			}
			if err != nil {
				c.t.Errorf("header block of the server: %v", err)
			}
			c.got = append(c.got, f)
			c.mu.Unlock()
		}
	}()
}

// open is dial, listen, and the exchange of settings to its end. Nothing of that is left to take.
func (s *frameServer) open(t *testing.T, settings ...http2.Setting) *frameClient {
	t.Helper()
	c := s.dial(t)
	c.listen()
	c.preface(settings...)
	c.must(c.WriteSettingsAck())
	c.take()
	return c
}

func (c *frameClient) preface(settings ...http2.Setting) {
	c.t.Helper()
	_, err := c.conn.Write([]byte(http2.ClientPreface))
	c.must(err)
	c.must(c.WriteSettings(settings...))
}

func (c *frameClient) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// take waits until nothing moves any more and returns the frames that came since the last time.
func (c *frameClient) take() []frame {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// over tells when the server ended the connection, 0 = it is open.
func (c *frameClient) over() time.Duration {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// headers encodes a request's header block. Fields come as name, value, name, value.
func (c *frameClient) headers(fields ...string) []byte { return c.headersFor("/", fields...) }

func (c *frameClient) headersFor(path string, fields ...string) []byte {
	return c.headersOf(http.MethodPost, path, fields...)
}

func (c *frameClient) headersOf(method, path string, fields ...string) []byte {
	c.block.Reset()
	all := append([]string{":method", method, ":scheme", "http", ":path", path, ":authority", "localhost"}, fields...)
	for i := 0; i+1 < len(all); i += 2 {
		c.must(c.encoder.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]}))
	}
	return slices.Clone(c.block.Bytes())
}

// request opens a stream. end: without a body.
func (c *frameClient) request(stream uint32, end bool, fields ...string) {
	c.t.Helper()
	c.must(c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.headers(fields...), EndHeaders: true, EndStream: end}))
}

// next returns the number of a new stream.
func (c *frameClient) next() uint32 {
	c.stream += 2
	return c.stream - 1
}

// status returns the :status of a stream, "" when its header block is not among the frames.
func status(got []frame, stream uint32) string {
	for _, f := range got {
		if f.StreamID == stream && len(f.fields) > 0 {
			return valueOf(f.fields, ":status")
		}
	}
	return ""
}

// valueOf returns the value of a field, "" where there is none.
func valueOf(fields []hpack.HeaderField, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// only returns the frames of one kind.
func only(got []frame, kind http2.FrameType) []frame {
	return slices.DeleteFunc(slices.Clone(got), func(f frame) bool { return f.Type != kind })
}
