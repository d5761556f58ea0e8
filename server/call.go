package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"avatard/authz"
	"avatard/authz/limit"
	"avatard/storage"
)

// form is the wire form of a call, as it is called in the log.
type form string

const (
	formConnect     form = "connect"
	formGRPC        form = "grpc"
	formGRPCWeb     form = "grpc-web"
	formGRPCWebText form = "grpc-web-text"
	formREST        form = "rest"
	formPlain       form = "http" // health, and requests that name nothing
)

// call is what is known of one request. It belongs to the goroutine that serves the request.
type call struct {
	id     string // ours, unlike any other's
	given  string // the caller's own, "" = none
	form   form
	action string // procedure, or method and route; "" when the request names none
	// procedure is the RPC behind a REST route, "" otherwise.
	procedure string
	address   string
	// badTimeout: a time-out header could not be read. Told to the caller only after permission.
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

	// answer and err are what an RPC ended with. Both are nil when its request could not be decoded.
	answer proto.Message
	err    error

	outcome string              // for the log: code and id of the failure
	refused *authz.RefusedError // why the token was refused, nil when it was not
	lines   int                 // whether the log has lines of its own about it: 1 yes, -1 no, 0 not decided yet
}

type callKey struct{}

// callOf returns the call that a request belongs to. Every request that came through Handler has one.
func callOf(ctx context.Context) *call {
	return ctx.Value(callKey{}).(*call)
}

// origin names the caller to the store, and the call by both ids: one that the caller chose may be that of many.
func (c *call) origin() storage.Origin {
	id := c.id
	if c.given != "" {
		id = c.given + "/" + id
	}
	return storage.Origin{Caller: c.caller.Caller(), CallerOrganization: c.caller.Organization, RequestID: id}
}

// answeredID is the id that the caller is told.
func (c *call) answeredID() string {
	if c.given != "" {
		return c.given
	}
	return c.id
}

// serveCall is the way of every request: it gets an id, a place and a deadline, is dispatched, and leaves one line in the log.
func (s *Server) serveCall(w http.ResponseWriter, sent *http.Request) {
	started := s.config.Now()
	m := s.findEndpoint(sent)
	c := &call{id: s.config.NewRequestID(), given: givenID(sent.Header), form: m.form, action: m.action, address: s.config.ClientAddress(sent),
		credentials: sent.Header["Authorization"]}
	if c.form != formREST && c.form != formPlain {
		tidyRPC(sent.Header, c.form)
	}
	ctx, cancel := c.withDeadline(context.WithValue(sent.Context(), callKey{}, c), sent.Header)
	defer cancel()
	r := sent.WithContext(ctx)
	w.Header().Set("X-Request-Id", c.answeredID())
	setBodyDeadline(w, r, m)
	body := trackBody(r)
	counted := &statusWriter{ResponseWriter: w}
	place, over, admitted := s.enterCall(c, m, r)
	if admitted && s.connections.HasReserved() && s.onReserve(w, r, m) {
		place.leave()
		place.in, over, admitted = nil, shedConnections, false
	}
	defer func() { s.leaveCall(counted, sent, body, place, m) }()
	defer func() {
		took := s.config.Now().Sub(started)
		if admitted { // what was shed is counted, and logged once a minute
			s.logCall(ctx, c, counted, sentPath(sent.URL), took)
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
	id := header.Get("X-Request-Id")
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

// recordFailure leaves the traces of an error: what the access log says, the full error in the log, and the audit trail.
func (s *Server) recordFailure(ctx context.Context, c *call, f *apiError) {
	o := errorTable[f.reason]
	c.outcome, c.status, c.refused = o.code.String(), o.status, f.refused
	if o.id != "" {
		c.outcome += " " + o.id
	}
	if f.cause != nil && s.hasLines(c, o.code.String()) {
		level := slog.LevelWarn
		switch f.reason {
		case internal:
			level = slog.LevelError
		case callerGone: // nobody's fault here
			level = slog.LevelDebug
		}
		s.config.Logger.LogAttrs(ctx, level, "call failed", slog.String("request", c.id), c.givenAttr(), slog.String("action", c.action),
			slog.String("code", c.outcome), slog.String("error", c.printable(f.cause.Error())))
	}
	if !o.audited || !c.identified {
		return
	}
	s.refusals.add(storage.Refusal{By: c.origin(), Organization: c.organization, Target: c.user, Action: c.action, Reason: c.outcome})
}

// printable makes the text of an inner error fit for the log. It is bounded: providers answer with whole pages. And
// the caller's token is struck out, in case somebody put it there.
func (c *call) printable(text string) string {
	for _, value := range c.credentials {
		for word := range strings.FieldsSeq(value) {
			if len(word) > len("Bearer") {
				text = strings.ReplaceAll(text, word, "[token]")
			}
		}
	}
	const limit = 1 << 10
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// logCall writes the access log, or counts the call for a sum. It names the route, the path where it is none, and nothing of
// headers, query or body but the caller's id of the request and whose picture was changed.
func (s *Server) logCall(ctx context.Context, c *call, w *statusWriter, path string, took time.Duration) {
	outcome := c.outcome
	if outcome == "" {
		outcome = w.code()
	}
	level := slog.LevelInfo
	if outcome == errorTable[callerGone].code.String() {
		level = slog.LevelDebug // people leave; it says nothing about the server
	}
	if !s.config.Logger.Enabled(ctx, level) {
		return
	}
	if !s.hasLines(c, outcome) {
		s.logSums.count(limit.Address(c.address), outcome)
		return
	}
	var where slog.Attr
	if c.action == "" {
		where = slog.String("path", c.printablePath(path))
	}
	s.config.Logger.LogAttrs(ctx, level, "call",
		slog.String("request", c.id), c.givenAttr(), slog.String("action", c.action), where, slog.String("form", string(c.form)),
		slog.Int("status", w.status), slog.String("code", outcome), slog.Duration("took", took),
		slog.String("caller", c.caller.Subject), c.actorAttr(), slog.String("organisation", c.organization), c.userAttr(),
		slog.String("address", c.address), c.refusedAttr())
}

// printablePath makes a path that is no route fit for the log, whose handlers quote it. A long segment may be a token that strayed into
// the path; its beginning tells what it is.
func (c *call) printablePath(path string) string {
	const limit, longSegment, shown = 200, 40, 8
	segments := strings.Split(path[:min(len(path), limit)], "/")
	for i, segment := range segments {
		if len(segment) > longSegment {
			segments[i] = segment[:shown] + "…"
		}
	}
	if len(path) > limit {
		segments = append(segments, "…")
	}
	return c.printable(strings.ToValidUTF8(strings.Join(segments, "/"), "\uFFFD"))
}

// userAttr is whose picture a change is about, where there is a change.
func (c *call) userAttr() slog.Attr {
	if !c.changes {
		return slog.Attr{} // handlers leave it out
	}
	return slog.String("user", c.user)
}

// givenAttr is the caller's id of the request for a log line, where there is one.
func (c *call) givenAttr() slog.Attr {
	if c.given == "" {
		return slog.Attr{} // handlers leave it out
	}
	return slog.String("caller_request", c.given)
}

// statusWriter remembers the status of the answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	if status == http.StatusUnsupportedMediaType && w.Header()["Accept-Post"] != nil {
		// The RPC library's own answer, which has no body: people would see nothing at all.
		http.Error(w.ResponseWriter, "the media type is none of a message; Accept-Post names those that are", status)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Flush and Unwrap let streams and http.ResponseController through.
func (w *statusWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		if w.status == 0 {
			w.status = http.StatusOK
		}
		f.Flush()
	}
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// code returns the code of an answer that was written without the error table: success, or what the RPC library
// found wrong with a message.
func (w *statusWriter) code() string {
	if w.status >= 400 {
		return http.StatusText(w.status)
	}
	for _, name := range [...]string{"Grpc-Status", http.TrailerPrefix + "Grpc-Status"} {
		if status := w.Header().Get(name); status != "" && status != "0" {
			var code connect.Code
			if _, err := fmt.Sscan(status, &code); err == nil {
				return code.String()
			}
		}
	}
	return "ok"
}

// written reports whether the answer has begun.
func written(w http.ResponseWriter) bool {
	for {
		switch inner := w.(type) {
		case *statusWriter:
			return inner.status != 0
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return true
		}
	}
}

// headersOnly is a ResponseWriter that keeps the headers of an answer.
type headersOnly struct{ header http.Header }

func (w *headersOnly) Header() http.Header { return w.header }

// WriteHeader does nothing.
func (w *headersOnly) WriteHeader(int) {}

func (w *headersOnly) Write(p []byte) (int, error) { return len(p), nil }
