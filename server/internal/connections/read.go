package connections

import (
	"bufio"
	"io"
)

// frameHeaderBytes is the size of the header of an HTTP/2 frame (RFC 9113 section 4.1). net/http reads it with a call of its own, by which the
// beginning of a frame is seen.
const frameHeaderBytes = 9

// clientPreface begins an HTTP/2 connection (RFC 9113 section 3.4). After less than all of it net/http speaks HTTP/1.
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Read reads for net/http.
//
// Over HTTP/2 other goroutines run before each frame. The two goroutines of net/http that read a connection wake each other and so keep the
// processor for 10 ms, in which they accept all the requests that a connection may have. These would hold their memory until the readers of
// all other connections have done the same, because only then their handlers run and refuse them.
func (c *Conn) Read(p []byte) (int, error) {
	if c.ahead != nil {
		if len(p) == frameHeaderBytes {
			c.listener.yield()
		}
		return c.ahead.Read(p)
	}
	if c.refused {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	c.matchPreface(p[:n])
	switch {
	case err != nil && n == 0 && len(p) == 1 && c.serving.Load() && isEnd(err):
		return c.holdEnd()
	case err != nil && n == 0:
		return 0, c.answerPlain(err)
	case !c.http2.Load() && !c.head.read(p[:n]):
		return 0, c.refuseHead()
	}
	return n, err
}

// matchPreface compares what was read with the client's preface. Once all of it has come the connection is HTTP/2.
func (c *Conn) matchPreface(read []byte) {
	for _, b := range read {
		switch {
		case c.prefaceRead < 0:
			return
		case b != clientPreface[c.prefaceRead]:
			c.prefaceRead = -1
			return
		}
		if c.prefaceRead++; c.prefaceRead == len(clientPreface) {
			c.prefaceRead = -1
			c.ahead = bufio.NewReader(c.Conn)
			c.http2.Store(true)
		}
	}
}
