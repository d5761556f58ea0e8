package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.org/avatard/authz"
)

// Observer receives a report of every call, for metrics.
type Observer interface {
	// ObserveCall is called once for each request when it has been answered, by the goroutine that answered it, so it
	// must not block. Several may run at once.
	ObserveCall(CallReport)
}

// CallReport tells an Observer about one call. Its texts are out of small sets that do not depend on what callers send, so they can be
// labels of a metric.
type CallReport struct {
	// Procedure is the path of the RPC, also for one that came over REST, or method and pattern of another route,
	// such as "GET /assets/v1/users/me/avatar". For a known route with a method that it does not have it is the pattern alone,
	// and "" for a request that names no endpoint.
	Procedure string
	// Form is the wire form: connect, grpc, grpc-web, grpc-web-text, rest, or http for a request that names no endpoint.
	Form string
	// Code is "ok" or the name of a Connect code, such as "not_found". Answers of the transport that have none are
	// "http_" and the status, and a message that could not be read is "malformed" where the answer has no other code.
	Code string
	// Refused is why the token was refused, "" when it was not.
	Refused authz.Reason
	// Took is the time from the request's headers to the end of the answer.
	Took time.Duration
}

// report tells the observer about a call.
func (s *Server) report(c *call, w *statusWriter, took time.Duration) {
	if s.config.Observer == nil {
		return
	}
	r := CallReport{Procedure: c.procedure, Form: string(c.form), Code: c.code(w), Took: took}
	if r.Procedure == "" {
		r.Procedure = c.action
	}
	if c.refused != nil {
		r.Refused = c.refused.Reason
	}
	s.config.Observer.ObserveCall(r)
}

// code tells how a call ended in one word.
func (c *call) code(w *statusWriter) string {
	if c.outcome != "" {
		code, _, _ := strings.Cut(c.outcome, " ") // without the id
		return code
	}
	if w.status >= http.StatusBadRequest {
		return "http_" + strconv.Itoa(w.status)
	}
	web := c.form == formGRPCWeb || c.form == formGRPCWebText
	if web && c.identified && c.answer == nil && c.err == nil {
		return "malformed" // the RPC library has put the reason into the body
	}
	return w.code()
}
