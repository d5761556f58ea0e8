package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// caller makes one call after the other on a connection of its own.
type caller interface {
	// call deletes one user's avatar. It is an error when the answer is not the expected one.
	call(id string) error
	io.Closer
}

// http1Caller writes the same bytes again and again, with another id in them, and reads no more of the answer than it
// must. net/http's client costs more than the server it would measure.
type http1Caller struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	at      int    // of the id
	want    []byte // the answer must hold it
	body    []byte
}

func newHTTP1Caller(conn net.Conn, f form, token, want string) *http1Caller {
	c := &http1Caller{conn: conn, in: bufio.NewReader(conn), want: []byte(want)}
	c.request, c.at = http1Request(f, conn.RemoteAddr().String(), token)
	return c
}

func (c *http1Caller) Close() error { return c.conn.Close() }

func (c *http1Caller) call(id string) error {
	copy(c.request[c.at:c.at+idBytes], id)
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := c.readAnswer()
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if status != 200 || !bytes.Contains(c.body, c.want) {
		return fmt.Errorf("answer %d without %q: %.300q", status, c.want, c.body)
	}
	return nil
}

// readAnswer reads one answer; its body is in c.body until the next.
func (c *http1Caller) readAnswer() (status int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || string(line[:9]) != "HTTP/1.1 " {
		return 0, fmt.Errorf("status line %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	c.body = c.body[:0]
	if chunked {
		return status, c.readChunks()
	}
	return status, c.read(length)
}

// read appends n bytes to the body.
func (c *http1Caller) read(n int) error {
	if n < 0 || n > 1<<20 {
		return fmt.Errorf("an answer of %d bytes", n)
	}
	start := len(c.body)
	c.body = append(c.body, make([]byte, n)...)
	_, err := io.ReadFull(c.in, c.body[start:])
	return err
}

// readChunks reads a body in chunks (RFC 9112 section 7.1), without extensions and trailers.
func (c *http1Caller) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 20)
		if err != nil {
			return err
		}
		if err := c.read(int(size)); err != nil {
			return err
		}
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return err
		}
		if string(line) != "\r\n" {
			return errors.New("a chunk that does not end")
		}
		if size == 0 {
			return nil
		}
	}
}
