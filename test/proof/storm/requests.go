package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// requests are those that have passed the S3 server's proxy.
type requests struct {
	mu      sync.Mutex
	puts    map[string]bool      // by name of the object
	arrived map[string]time.Time // objects that were delivered after their sender had gone, and when
	// twice is called with the name of an object for which a second PUT was sent.
	twice func(name string)
}

// object is the path of a picture: the bucket and the name.
var object = regexp.MustCompile(`^/[^/]+/([0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}/[0-9a-f]{32})$`)

// note remembers a PUT, and returns the name of its object, "" for other requests.
func (r *requests) note(request *http.Request) (name string) {
	match := object.FindStringSubmatch(request.URL.Path)
	if request.Method != http.MethodPut || match == nil {
		return ""
	}
	name = match[1]
	r.mu.Lock()
	again := r.puts[name]
	r.puts[name] = true
	r.mu.Unlock()
	if again {
		r.twice(name)
	}
	return name
}

// delivered notes that an object has arrived, or not, whose sender has gone.
func (r *requests) delivered(name string) {
	if name == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrived[name] = time.Now()
}

// lateSince reports whether an object was delivered after its sender had gone, and after a moment.
func (r *requests) lateSince(name string, moment time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.arrived[name]
	return ok && at.After(moment)
}

// maxHTTPBody bounds one request or answer.
const maxHTTPBody = 16 << 20

// passRequests is the proxy of HTTP: it reads a request as a whole, and the weather decides about it.
func (r *requests) passRequests(ctx context.Context, p *proxy, client net.Conn) {
	var sent bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(client, &sent))
	var server net.Conn
	var answers *bufio.Reader
	var received bytes.Buffer
	defer func() {
		if server != nil {
			_ = server.Close()
		}
	}()
	for {
		sent.Reset() // no client sends a second request before it has the answer to the first
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(request.Body, maxHTTPBody)); err != nil {
			return
		}
		name := r.note(request)
		f, wait := p.strike()
		switch f {
		case hold:
			pause(ctx, wait)
		case cut:
			return
		case late:
			_ = client.Close()
			pause(ctx, wait)
			r.deliver(ctx, p, request, sent.Bytes())
			r.delivered(name)
			return
		}
		if server == nil {
			if server, err = p.dial(ctx); err != nil {
				return
			}
			answers = bufio.NewReader(io.TeeReader(server, &received))
		}
		received.Reset()
		_ = server.SetDeadline(time.Now().Add(answerLimit))
		if _, err = server.Write(sent.Bytes()); err == nil {
			err = readAnswer(answers, request)
		}
		if f == hold { // the sender may have gone meanwhile
			r.delivered(name)
		}
		if err != nil || f == lose {
			return
		}
		if _, err := client.Write(received.Bytes()); err != nil {
			return
		}
	}
}

// answerLimit is how long the S3 server may take for an answer.
const answerLimit = 20 * time.Second

// deliver sends a request whose sender has gone.
func (r *requests) deliver(ctx context.Context, p *proxy, request *http.Request, sent []byte) {
	server, err := p.dial(ctx)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	_ = server.SetDeadline(time.Now().Add(answerLimit))
	if _, err := server.Write(sent); err == nil {
		_ = readAnswer(bufio.NewReader(server), request)
	}
}

// readAnswer reads an answer to its end.
func readAnswer(from *bufio.Reader, request *http.Request) error {
	answer, err := http.ReadResponse(from, request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxHTTPBody))
	return err
}
