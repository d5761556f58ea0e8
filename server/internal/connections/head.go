package connections

import (
	"bytes"
	"io"
)

// head counts the lines of an HTTP/1 request up to the empty one. net/http bounds their bytes only, and 64 KiB of the shortest lines take a
// megabyte in memory.
type head struct {
	max      int  // lines
	ended    bool // the next bytes are a body
	lines    int
	lineText bool // the line under way has text in it
	text     bool // a line had text in it: net/http skips empty ones before a request (RFC 9112 section 2.2)
}

// read counts the lines of bytes that were read. It reports false when there are too many.
func (h *head) read(p []byte) bool {
	for !h.ended && len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			h.lineText = h.lineText || len(p) > 1 || p[0] != '\r'
			return true
		}
		empty := !h.lineText && (i == 0 || i == 1 && p[0] == '\r')
		p = p[i+1:]
		h.text, h.lineText = h.text || !empty, false
		if h.lines++; empty && h.text {
			h.ended = true
		} else if h.lines > h.max {
			return false
		}
	}
	return true
}

const headTooLong = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n431 Request Header Fields Too Large"

// refuseHead answers a request whose head has too many lines. net/http then takes the connection for closed by its peer. Where net/http has half a
// line it reads again after the end, and must not get more.
func (c *Conn) refuseHead() error {
	c.refused = true
	c.listener.group.limits.refused(HeadTooLong, c.address.String())
	_, _ = io.WriteString(c.Conn, headTooLong)
	return io.EOF
}
