package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// reader reads one picture again and again on a connection of its own. net/http's client costs more than a bare handler.
type reader struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
	status  string
	body    []byte
	tag     string // of the last answer
}

func dial(ctx context.Context, address, path, tag string) (*reader, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), status: "HTTP/1.1 200 "}
	fields := "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if tag != "" {
		fields += "If-None-Match: " + tag + "\r\n"
		r.status = "HTTP/1.1 304 "
	}
	r.request = []byte(fields + "\r\n")
	return r, nil
}

// read makes one call. Any other answer than the expected one is an error.
func (r *reader) read() error {
	if _, err := r.conn.Write(r.request); err != nil {
		return err
	}
	line, err := r.in.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, r.status) {
		return fmt.Errorf("answer %q, want %q", line, r.status)
	}
	header, err := textproto.NewReader(r.in).ReadMIMEHeader()
	if err != nil {
		return err
	}
	r.tag = header.Get("ETag")
	length, _ := strconv.Atoi(header.Get("Content-Length"))
	if strings.Contains(r.status, "304") {
		return nil
	}
	r.body = slices.Grow(r.body[:0], length)[:length]
	_, err = io.ReadFull(r.in, r.body)
	return err
}

// measured is a server, and what is asked of it.
type measured struct {
	*served
	paths []string // by reader, in turn
	tag   string
}

// rate returns how many reads a second so many readers make.
func (m measured) rate(ctx context.Context, readers int, slice time.Duration) (float64, error) {
	var all []*reader
	defer func() {
		for _, r := range all {
			_ = r.conn.Close()
		}
	}()
	for i := range readers {
		r, err := dial(ctx, m.address, m.paths[i%len(m.paths)], m.tag)
		if err != nil {
			return 0, err
		}
		all = append(all, r)
	}
	var reads atomic.Int64
	began := time.Now()
	err := each(readers, func(i int) error {
		for n := 0; ; n++ {
			if time.Since(began) >= slice {
				reads.Add(int64(n))
				return nil
			}
			if err := all[i].read(); err != nil {
				return err
			}
		}
	})
	return float64(reads.Load()) / time.Since(began).Seconds(), err
}

// tagOf returns the tag of a picture.
func (s *served) tagOf(ctx context.Context, path string) (string, error) {
	r, err := dial(ctx, s.address, path, "")
	if err != nil {
		return "", err
	}
	defer func() { _ = r.conn.Close() }()
	err = r.read()
	return r.tag, err
}
