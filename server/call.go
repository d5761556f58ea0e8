package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"google.golang.org/protobuf/proto"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/storage"
)

// form is the wire form of a call, by its name in the log.
type form string

const (
	formConnect     form = "connect"
	formGRPC        form = "grpc"
	formGRPCWeb     form = "grpc-web"
	formGRPCWebText form = "grpc-web-text"
	formREST        form = "rest"
	formPlain       form = "http" // requests that name no endpoint
)

// call is what is known of one request. It belongs to the goroutine that serves the request.
type call struct {
	context callContext
	out     statusWriter // for the answer

	id     string // ours, unlike any other's
	given  string // the caller's own, "" = none
	form   form
	action string // procedure, or method and route; "" when the request names none
	// procedure is the RPC behind a REST route, "" otherwise.
	procedure string
	address   string
	network   netip.Addr // of the address, for what counts by it: see limit.Address
	// badTimeout: a time-out header could not be read. The caller gets this error only once they have permission.
	badTimeout bool
	// credentials are the Authorization headers, kept to strike them out of log lines.
	credentials []string

	identified   bool
	caller       authz.Identity
	organization string // the organisation that the call acts on, once decided
	user         string // the user whom a call that was let in is about, for the audit trail; "" = it does not say
	changes      bool   // the call is there to change that user's picture, which the log tells

	condition condition // of a REST call that changes something
	// status is that of the recorded error on REST; 0 = none is recorded.
	status int

	// answer and err are the outcome of an RPC. Both are nil when its request could not be decoded.
	answer proto.Message
	err    error
	// messages is where those of a stream go over REST, nil for any other call. answer is the newest then.
	messages *lineWriter

	outcome string              // for the log: code and id of the failure
	refused *authz.RefusedError // why the token was refused, nil when it was not
	lines   int                 // whether the log has lines of its own about it: 1 yes, -1 no, 0 not decided yet
}

type callKey struct{}

// callOf returns the call that a request belongs to. Every request that came through Handler has one.
func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call)
}

// origin names the caller to the store, and the call by both ids: an id that the caller chose may belong to many calls.
func (c *call) origin() storage.Origin {
	id := c.id
	if c.given != "" {
		id = c.given + "/" + id
	}
	return storage.Origin{Caller: c.caller.Caller(), CallerOrganization: c.caller.Organization, RequestID: id}
}

// answeredID is the id in the answer.
func (c *call) answeredID() string {
	if c.given != "" {
		return c.given
	}
	return c.id
}

// serveCall serves every request: it gives it an id, a place and a deadline, dispatches it, and writes one line of the log.
func (s *Server) serveCall(w http.ResponseWriter, sent *http.Request) {
	started := s.config.Now()
	m := s.findEndpoint(sent)
	c := &call{id: s.config.NewRequestID(), given: givenID(sent.Header), form: m.form, action: m.action, address: s.config.ClientAddress(sent),
		credentials: sent.Header["Authorization"], out: statusWriter{ResponseWriter: w}}
	c.network = limit.Address(c.address)
	if c.form != formREST && c.form != formPlain {
		tidyRPC(sent.Header, c.form)
	}
	c.begin(sent.Context(), sent.Header)
	defer c.context.end()
	r := sent.WithContext(&c.context)
	w.Header()["X-Request-Id"] = []string{c.answeredID()}
	setBodyDeadline(w, r, m)
	body := trackBody(r)
	counted := &c.out
	place, over, admitted := s.enterCall(c, m, r)
	if admitted && s.connections.HasReserved() && s.onReserve(w, r, m) {
		place.leave()
		place.in, over, admitted = nil, shedConnections, false
	}
	defer func() { s.leaveCall(counted, sent, body, place, m) }()
	defer func() {
		took := s.config.Now().Sub(started)
		if admitted { // what was shed is counted, and logged once a minute
			s.logCall(&c.context, c, counted, sentPath(sent.URL), took)
		}
		s.report(c, counted, took)
	}()
	var out http.ResponseWriter = counted
	if c.form == formGRPCWebText {
		text := newTextResponse(counted, r)
		defer text.finish()
		out = text
	}
	defer s.recover(out, r)
	if !admitted {
		s.shed(out, sent, r, over)
		return
	}
	if m.rule.open { // all answers of open calls are for programs, and no browser should guess their type
		w.Header()["X-Content-Type-Options"] = noSniff
	}
	err := s.authorize(r, m)
	if err == nil {
		err = m.serve(out, r, m.variables)
	}
	if err != nil {
		s.writeError(out, r, err)
	}
}

// givenID returns an id from outside where it cannot do harm in a log line, else "".
func givenID(header http.Header) string {
	id := first(header["X-Request-Id"])
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
	}
	if len(id) > 64 || strings.IndexFunc(id, func(c rune) bool { return !plain(c) }) >= 0 {
		return ""
	}
	return id
}

// recover turns a panic into an internal error in the form of the request.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
		panic(cause)
	}
	f := &apiError{reason: internal, cause: fmt.Errorf("panic: %v", cause)}
	c := callOf(r.Context())
	if s.hasLines(c, errorTable[internal].code.String()) {
		s.config.Logger.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request", c.id), c.givenAttr(),
			slog.String("stack", string(debug.Stack())))
	}
	if written(w) {
		s.recordFailure(r.Context(), c, f)
		panic(http.ErrAbortHandler) // the answer is spoilt: break it off rather than let it look whole
	}
	s.writeError(w, r, f)
}
