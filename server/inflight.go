package server

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"example.org/avatard/server/internal/connections"
)

const (
	// headerShare is how many bytes of header fields a request in flight has on average, at most. Tokens with long lists of
	// roles pass 8 KiB; only an attack sends the longest header with every request at once.
	headerShare = 16 << 10
	// fieldBytes is what one header field takes in memory beside its name and value: entries of a map and of a slice.
	fieldBytes = 128
	// maxOpen open calls, which need no token, are in flight at once, openShare of them from one address.
	maxOpen   = 512
	openShare = 16
	// openCallTime bounds the body of an open call, and how long a peer may take to accept its answer.
	openCallTime = 2 * time.Second
	// maxHookCalls messages to hooks are in flight at once, hookShare of them from one address: strangers may send as much as a sender, of
	// which 64 KiB each are kept until the signature is known to be wrong.
	maxHookCalls = 128
	hookShare    = 32
	// hookBodyTime bounds the body of a message to a hook.
	hookBodyTime = 5 * time.Second
)

// inFlight counts the requests that are being served, and the bytes of their header fields, in all and for each address. It has
// the same cost for the thousandth address as for the first, and remembers none without a request.
type inFlight struct {
	max, each load // what fits in all, and from one address

	mu  sync.Mutex
	all load
	of  map[netip.Addr]load
}

// load is an amount of requests.
type load struct{ requests, header int }

// newInFlight returns room for a number of requests, and for some of them from one address. There is room for one with the
// largest header.
func newInFlight(requests, each, largest int) *inFlight {
	header := func(requests int) int { return max(requests*headerShare, largest+maxFields*fieldBytes) }
	return &inFlight{max: load{requests, header(requests)}, each: load{each, header(each)}, of: make(map[netip.Addr]load)}
}

// enter counts a request, or says which bound it is over.
func (f *inFlight) enter(address netip.Addr, header int) (over shedReason, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := f.of[address]
	switch {
	case own.requests >= f.each.requests:
		return shedRequestsOfAddress, false
	case f.all.requests >= f.max.requests:
		return shedRequests, false
	case own.header+header > f.each.header, f.all.header+header > f.max.header:
		return shedHeaders, false
	}
	f.of[address] = load{own.requests + 1, own.header + header}
	f.all.requests++
	f.all.header += header
	return 0, true
}

// leave takes a request off that enter has counted.
func (f *inFlight) leave(address netip.Addr, header int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := f.of[address]
	if own.requests > 1 {
		f.of[address] = load{own.requests - 1, own.header - header}
	} else {
		delete(f.of, address)
	}
	f.all.requests--
	f.all.header -= header
}

// requests tells how many are counted.
func (f *inFlight) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all.requests
}

// place is one request's place among those in flight. The zero place is none.
type place struct {
	in      *inFlight
	address netip.Addr
	header  int
}

func (p place) leave() {
	if p.in != nil {
		p.in.leave(p.address, p.header)
	}
}

// enterCall finds a place for a call among those in flight. Open calls have places of their own: callers who hold calls never keep
// others from asking whether the server is well. So have messages to hooks, which need no token either.
func (s *Server) enterCall(c *call, m match, r *http.Request) (p place, over shedReason, ok bool) {
	fields, size := headerSize(r)
	p = place{in: s.calls, address: c.network, header: size + fields*fieldBytes}
	switch {
	case m.rule.open:
		p.in = s.openCalls
	case m.rule.hook:
		p.in = s.hookCalls
	}
	if over, ok = p.in.enter(p.address, p.header); !ok {
		p.in = nil
	}
	return p, over, ok
}

// onReserve reports whether a call came on a connection that is there for health only, and is something else. Such a connection
// has one call.
func (s *Server) onReserve(w http.ResponseWriter, r *http.Request, m match) bool {
	if !connections.Of(r.Context()).InReserve() {
		return false
	}
	w.Header().Set("Connection", "close")
	return !m.rule.open
}

// shed refuses a call that is over a bound, without keeping anything of what was sent.
func (s *Server) shed(w http.ResponseWriter, sent, r *http.Request, over shedReason) {
	c := callOf(r.Context())
	s.sheds.count(r.Context(), over, c.address)
	c.credentials = nil
	forget(sent) // and the header fields of r
	if sent.ProtoMajor > 1 {
		_ = r.Body.Close() // lets go of what has arrived; over HTTP/1 closing would wait for the rest
	}
	r.URL, r.RequestURI, r.Host, r.Trailer = sent.URL, "", "", nil
	s.writeError(w, r, &apiError{reason: overloaded})
}

// leaveCall gives the place of a call back. A call whose body was not read, or whose answer needs no token and may not be taken by the
// peer, moves to a place for answers that only have to leave: nothing that it sent is kept there.
func (s *Server) leaveCall(w *statusWriter, sent *http.Request, body *trackedBody, p place, m match) {
	unread := body != nil && !body.over.Load()
	untaken := sent.ProtoMajor > 1 && (m.rule.open || w.status >= http.StatusBadRequest)
	p.leave()
	connections.Of(sent.Context()).BodyLeft(body != nil && !body.whole.Load())
	if !unread && !untaken {
		return
	}
	forget(sent)
	p.in, p.header = s.leaving, 0
	if over, ok := p.in.enter(p.address, 0); !ok {
		s.sheds.count(sent.Context(), over, p.address.String())
		panic(http.ErrAbortHandler) // there is no place left to leave slowly
	}
	defer p.leave()
	body.drain(w.ResponseWriter)
	if untaken {
		w.Flush()
	}
}

// forget lets go of the large parts of a request, which are not read any more, and keeps what decides the form of the answer.
func forget(r *http.Request) {
	for name, values := range r.Header {
		keep := name == "Content-Type" || name == "Connect-Protocol-Version"
		if !keep || len(values) > 1 || len(values[0]) > 64 {
			delete(r.Header, name)
		} else {
			values[0] = strings.Clone(values[0])
		}
	}
	r.URL, r.RequestURI, r.Host, r.Trailer = new(url.URL), "", "", nil
}
