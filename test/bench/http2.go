package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Caller speaks gRPC over cleartext HTTP/2, frame by frame, one stream at a time. x/net's http2.Transport costs
// a goroutine and a dozen allocations a call in a process that shares two cores with the server.
type http2Caller struct {
	conn    net.Conn
	out     *bufio.Writer
	framer  *http2.Framer
	fields  []hpack.HeaderField
	encoder *hpack.Encoder
	block   bytes.Buffer
	decoder *hpack.Decoder
	body    []byte // of the request
	want    []byte
	stream  uint32
	unread  uint32 // bytes of data that the connection's window has not been given back

	// Of the answer under way.
	status, grpcStatus string
	data               []byte
}

// windowRefill is how much of the connection's 64 KiB window may be used up before it is given back.
const windowRefill = 16 << 10

func newHTTP2Caller(conn net.Conn, token, want string) (*http2Caller, error) {
	c := &http2Caller{conn: conn, out: bufio.NewWriter(conn), body: []byte(envelope(message(userID(0)))), want: []byte(want), stream: 1}
	c.framer = http2.NewFramer(c.out, bufio.NewReader(conn))
	c.framer.SetReuseFrames()
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		switch f.Name {
		case ":status":
			c.status = f.Value
		case "grpc-status":
			c.grpcStatus = f.Value
		}
	})
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", procedure}, {":authority", conn.RemoteAddr().String()},
		{"content-type", "application/grpc"}, {"user-agent", "bench"}, {"te", "trailers"}, {"authorization", "Bearer " + token},
	} {
		c.fields = append(c.fields, hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	if _, err := c.out.WriteString(http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := c.framer.WriteSettings(); err != nil {
		return nil, err
	}
	return c, c.out.Flush()
}

func (c *http2Caller) Close() error { return c.conn.Close() }

func (c *http2Caller) call(id string) error {
	c.block.Reset()
	for _, f := range c.fields {
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	copy(c.body[len(c.body)-idBytes:], id)
	c.status, c.grpcStatus, c.data = "", "", c.data[:0]
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: c.block.Bytes(), EndHeaders: true})
	if err == nil {
		err = c.framer.WriteData(c.stream, true, c.body)
	}
	if err == nil {
		err = c.out.Flush()
	}
	for ended := false; err == nil && !ended; {
		ended, err = c.readFrame()
	}
	if err != nil {
		return fmt.Errorf("stream %d: %w", c.stream, err)
	}
	c.stream += 2
	if c.status != "200" || len(c.want) > 0 && c.grpcStatus != "0" || !bytes.Contains(c.data, c.want) {
		return fmt.Errorf("answer %s, grpc-status %q, without %q: %.300q", c.status, c.grpcStatus, c.want, c.data)
	}
	return nil
}

// readFrame reads one frame and reports whether it ended the stream.
func (c *http2Caller) readFrame() (ended bool, err error) {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return false, err
	}
	switch f := frame.(type) {
	case *http2.HeadersFrame:
		if !f.HeadersEnded() {
			return false, errors.New("headers in several frames")
		}
		_, err = c.decoder.Write(f.HeaderBlockFragment())
		return f.StreamEnded(), err
	case *http2.DataFrame:
		c.data = append(c.data, f.Data()...)
		if c.unread += f.Length; c.unread >= windowRefill {
			err = c.framer.WriteWindowUpdate(0, c.unread)
			c.unread = 0
		}
		return f.StreamEnded(), err
	case *http2.SettingsFrame:
		if !f.IsAck() {
			err = c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			err = errors.Join(c.framer.WritePing(true, f.Data), c.out.Flush())
		}
	case *http2.RSTStreamFrame:
		err = fmt.Errorf("reset: %v", f.ErrCode)
	case *http2.GoAwayFrame:
		err = fmt.Errorf("going away: %v", f.ErrCode)
	}
	return false, err
}
