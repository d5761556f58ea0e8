package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// maxHeadLines bounds the lines of an HTTP/1 request up to its body while they are being read. net/http takes as many as there is room
// for, and makes a megabyte in memory out of 64 KiB of the shortest. A few fields over the bound are refused in order.
const maxHeadLines = 2 * maxFields

// head follows the lines of an HTTP/1 request up to the empty one.
type head struct {
	over  bool // what comes is a body
	lines int
	begun bool // the line has something in it
	some  bool // a line had something in it: net/http skips empty ones before a request (RFC 9112 section 2.2)
}

// read follows what was read. It reports false when there are too many lines.
func (h *head) read(p []byte) bool {
	for !h.over && len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			h.begun = h.begun || len(p) > 1 || p[0] != '\r'
			return true
		}
		empty := !h.begun && (i == 0 || i == 1 && p[0] == '\r')
		p = p[i+1:]
		h.some, h.begun = h.some || !empty, false
		if h.lines++; empty && h.some {
			h.over = true
		} else if h.lines > maxHeadLines {
			return false
		}
	}
	return true
}

const headTooLong = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n431 Request Header Fields Too Large"

// refuseHead answers a request whose head has too many lines. net/http then takes the connection for closed by its peer. Where it has half a line
// it reads again after the end, and must not get more.
func (c *gatheredConn) refuseHead() error {
	c.refused = true
	if c.listener.counted != nil {
		c.listener.counted.turned.count(context.Background(), awayFields, c.address.String())
	}
	_, _ = io.WriteString(c.Conn, headTooLong)
	return io.EOF
}

// encrypt puts TLS around a connection. net/http does not see it: what is read and written inside is for gatheredConn to know, in
// clear and encrypted alike. So HTTP/2 is recognised by its preface, as it is in clear.
func encrypt(conn net.Conn, config *tls.Config) net.Conn {
	if config == nil {
		return conn
	}
	return tls.Server(conn, config)
}

// unencrypted tells a peer that began in clear where TLS is spoken, as net/http does. net/http reads again after an error, so it tells once.
func (c *gatheredConn) unencrypted(err error) error {
	header, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || header.Conn == nil {
		return err
	}
	if c.told {
		return io.EOF
	}
	c.told = true
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		_, _ = io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
	return io.EOF
}
