package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// requests are those that have passed the S3 server's proxy.
type requests struct {
	mu      sync.Mutex
	sent    map[string]time.Time // when its PUT came, by name of the object
	story   map[string][]string  // what became of each, for people
	arrived map[string]time.Time // objects that were delivered after their sender had gone, and when
	waits   map[string]time.Time // until when requests about a user's folder wait
	// twice is called with the name of an object for which a second PUT was sent, while the first was not refused because of a conflict.
	twice func(name string)
}

// picturePath is the path of a picture: the bucket and the name.
var picturePath = regexp.MustCompile(`^/[^/]+/([0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}/[0-9a-f]{32})$`)

// userFolder is the name of a user's folder.
var userFolder = regexp.MustCompile(`[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32}/`)

// note remembers a PUT, and returns the name of its object, "" for other requests.
func (r *requests) note(request *http.Request) (name string) {
	match := picturePath.FindStringSubmatch(request.URL.Path)
	if request.Method != http.MethodPut || match == nil {
		return ""
	}
	name = match[1]
	r.mu.Lock()
	_, again := r.sent[name]
	if !again {
		r.sent[name] = time.Now()
	}
	r.mu.Unlock()
	if again {
		r.twice(name)
	}
	return name
}

// refused notes that a PUT is over and has stored nothing, as its sender is about to be told: another one may be sent.
func (r *requests) refused(name string) {
	r.tell(name, "refused")
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sent, name)
}

// tell notes what becomes of an object.
func (r *requests) tell(name, what string) {
	if name == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story[name] = append(r.story[name], time.Now().Format("15:04:05.000000 ")+what)
}

// storyOf returns what became of an object.
func (r *requests) storyOf(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.story[name])
}

// slow lets requests about a user's folder wait for a while.
func (r *requests) slow(folder string, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits[folder] = time.Now().Add(d)
}

// wait returns how long a request waits because its user's folder is slow.
func (r *requests) wait(request *http.Request) time.Duration {
	match := userFolder.FindString(request.URL.Path + "?" + request.URL.Query().Get("prefix"))
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Until(r.waits[match])
}

// delivering notes that an object may arrive from now on whose sender may have gone. What it returns notes that it has arrived, or does
// not any more.
func (r *requests) delivering(name string) (delivered func()) {
	if name == "" {
		return func() {}
	}
	note := func(at time.Time) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.arrived[name] = at
	}
	note(time.Now().Add(24 * time.Hour))
	return func() { note(time.Now()) }
}

// sentSince reports whether an object was sent after a moment.
func (r *requests) sentSince(name string, moment time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.sent[name]
	return ok && at.After(moment)
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
		pause(ctx, r.wait(request))
		f, wait := p.strike()
		r.tell(name, "PUT: "+f.String())
		switch f {
		case hold:
			pause(ctx, wait)
		case cut:
			return
		case late:
			_ = client.Close()
			pause(ctx, wait)
			r.deliverLate(ctx, p, request, name, sent.Bytes())
			return
		}
		if server == nil {
			if server, err = p.dial(ctx); err != nil {
				return
			}
			answers = bufio.NewReader(io.TeeReader(server, &received))
		}
		received.Reset()
		delivered := func() {}
		if f == hold { // the sender may have gone meanwhile
			delivered = r.delivering(name)
		}
		_ = server.SetDeadline(time.Now().Add(answerLimit))
		status := 0
		if _, err = server.Write(sent.Bytes()); err == nil {
			status, err = readAnswer(answers, request)
		}
		delivered()
		r.tell(name, "passed on")
		if err != nil || f == lose {
			return
		}
		if status == http.StatusConflict {
			r.refused(name)
		}
		if _, err := client.Write(received.Bytes()); err != nil {
			return
		}
	}
}

// deliverLate delivers a request, of an object of that name, whose sender has gone.
func (r *requests) deliverLate(ctx context.Context, p *proxy, request *http.Request, name string, whole []byte) {
	delivered := r.delivering(name)
	r.deliver(ctx, p, request, whole)
	delivered()
	r.tell(name, "delivered")
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
		_, _ = readAnswer(bufio.NewReader(server), request)
	}
}

// readAnswer reads an answer to its end, and returns its status.
func readAnswer(from *bufio.Reader, request *http.Request) (status int, err error) {
	answer, err := http.ReadResponse(from, request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxHTTPBody))
	return answer.StatusCode, err
}
