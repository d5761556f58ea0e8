package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"example.org/avatard/test/client"
)

// control is a world in which something is wrong, which the check has to find.
type control struct {
	name  string
	wrong func(w *world)
}

// controls are histories of the real server with a wrong one in front of it, or with its time turned back.
func controls(cluster bool) []control {
	list := []control{
		{"old pictures from a cache", func(w *world) { w.front = lying(cachedReads(5, plain)) }},
		{"smaller pictures from a cache that does not ask the store", func(w *world) { w.front = lying(cachedReads(2, resized)) }},
		{"304 without asking", func(w *world) { w.front = lying(eagerUnchanged()) }},
		{"deletes that never arrive", func(w *world) { w.front, w.forms = lying(swallow(http.MethodDelete)), []client.Form{client.REST} }},
		{"erasures of users that only delete their pictures", func(w *world) { w.front, w.forms = lying(onlyDelete()), []client.Form{client.REST} }},
		{"uploads that never arrive", func(w *world) { w.front = lying(swallow(http.MethodPost)) }},
	}
	const lost = "a crash that loses what was acknowledged"
	if !cluster {
		return append(list, control{lost, func(w *world) { w.afterKill = turnedBack(w.dir) }})
	}
	return append(list, control{lost, func(w *world) { w.afterKill = databaseTurnedBack(w.servers) }},
		control{"deletes that do not wait for an upload", func(w *world) { w.environ = []string{"WRONG_STEP=blind-look"} }})
}

// Size of a control's history.
const (
	controlCalls = 300
	controlKills = 3
)

// runControls records a history in each wrong world, and fails when one of them is explained. Sequences are left out:
// what readers see has to be enough.
func runControls(ctx context.Context, w world, seed uint64, out io.Writer) error {
	w.calls, w.kills = controlCalls, controlKills
	cluster := w.servers != nil
	if cluster {
		w.kills = 2 * roundFaults
	}
	dir := w.dir
	for i, c := range controls(cluster) {
		under := w
		under.dir = filepath.Join(dir, fmt.Sprintf("control-%d", i))
		if err := os.MkdirAll(under.dir, 0o700); err != nil {
			return err
		}
		c.wrong(&under)
		h, err := under.record(ctx, seed)
		if err != nil {
			return fmt.Errorf("control: %s: %w", c.name, err)
		}
		v := judge(withoutSequence(h.operations))
		if v.result != porcupine.Illegal {
			return errors.Join(fmt.Errorf("control: %s: the check says %s: it is blind", c.name, v.result), h.write(dir, nil))
		}
		fmt.Fprintf(out, "control: %s: found out, %d operations, checked in %v\n", c.name, len(h.operations), v.took.Round(time.Millisecond))
		if err := os.RemoveAll(under.dir); err != nil {
			return err
		}
	}
	return nil
}

// lie answers a request itself or passes it on.
type lie func(w http.ResponseWriter, r *http.Request, server http.Handler)

// lying puts a liar in front of servers, the same one each time.
func lying(l lie) func(url string) (string, func(), error) {
	return func(server string) (string, func(), error) {
		target, err := url.Parse(server)
		if err != nil {
			return "", nil, err
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
		if err != nil {
			return "", nil, err
		}
		proxies := map[int]http.Handler{1: forward(target, false), 2: forward(target, true)}
		both := new(http.Protocols)
		both.SetHTTP1(true)
		both.SetUnencryptedHTTP2(true)
		srv := &http.Server{Protocols: both, ReadHeaderTimeout: time.Minute,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l(w, r, proxies[r.ProtoMajor]) })}
		go func() { _ = srv.Serve(ln) }()
		return "http://" + ln.Addr().String(), func() { _ = srv.Close() }, nil
	}
}

// forward passes requests on, and breaks the connection when there is no answer.
func forward(target *url.URL, http2 bool) http.Handler {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: clients, DisableCompression: true},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // servers are killed
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// every reports true each n-th time.
func every(n int) func() bool {
	var mu sync.Mutex
	times := 0
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		times++
		return times%n == 0
	}
}

// plain and resized are kinds of reads.
func plain(r *http.Request) bool   { return r.URL.RawQuery == "" }
func resized(r *http.Request) bool { return r.URL.RawQuery != "" }

// cachedReads answers every n-th read of a kind, of those without a tag, with what was the answer to an earlier one.
func cachedReads(n int, kind func(*http.Request) bool) lie {
	var mu sync.Mutex
	kept := make(map[string]*copied)
	turn := every(n)
	return func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		key := r.URL.RequestURI() + r.Header.Get("Authorization")
		mu.Lock()
		before := kept[key]
		mu.Unlock()
		switch {
		case r.Method != http.MethodGet || !kind(r) || r.Header.Get("If-None-Match") != "":
			server.ServeHTTP(w, r)
		case before != nil && turn():
			w.Header().Set("ETag", before.tag)
			_, _ = w.Write(before.body.Bytes())
		default:
			c := &copied{ResponseWriter: w}
			server.ServeHTTP(c, r)
			if c.tag = w.Header().Get("ETag"); c.status == http.StatusOK {
				mu.Lock()
				kept[key] = c
				mu.Unlock()
			}
		}
	}
}

// copied is an answer that is kept while it is passed on.
type copied struct {
	http.ResponseWriter
	status int
	tag    string
	body   bytes.Buffer
}

func (c *copied) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *copied) Write(data []byte) (int, error) {
	c.body.Write(data)
	return c.ResponseWriter.Write(data)
}

// eagerUnchanged answers every third read that names a tag with 304.
func eagerUnchanged() lie {
	turn := every(3)
	return func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Header.Get("If-None-Match") != "" && turn() {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		server.ServeHTTP(w, r)
	}
}

// swallow acknowledges every second change over REST with this method and does nothing.
func swallow(method string) lie {
	turn := every(2)
	return func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Method == method && strings.HasSuffix(r.URL.Path, "/avatar") && turn() {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"details":{"sequence":"1"}}`)
			return
		}
		server.ServeHTTP(w, r)
	}
}

// onlyDelete makes every erasure of a user over REST a delete of the picture.
func onlyDelete() lie {
	return func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if user, ok := strings.CutPrefix(r.URL.Path, "/avatard/v1/users/"); ok && r.Method == http.MethodDelete {
			r.URL.Path, r.URL.RawPath = client.UserPicturePath(user), ""
		}
		server.ServeHTTP(w, r)
	}
}

// turnedBack puts the data directory of the first kill back after the second.
func turnedBack(dir string) func(data string, kills int) error {
	kept := filepath.Join(dir, "kept")
	return func(data string, kills int) error {
		switch kills {
		case 1:
			return copyFiles(kept, data)
		case 2:
			return errors.Join(os.RemoveAll(data), copyFiles(data, kept))
		}
		return nil
	}
}

// copyFiles makes dir and copies the files of another one into it, but not its socket.
func copyFiles(dir, from string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, entry.Name()), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
