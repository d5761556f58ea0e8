package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// match is the endpoint that a method and a path name.
type match struct {
	*endpoint
	action    string // for log and audit: the procedure, or method and pattern; "" for nothing
	form      form
	variables []string
	// notFound: the request names no endpoint. serve answers so, without a token.
	notFound bool
}

// endpoint serves a procedure, or a method of a route.
type endpoint struct {
	serve serveFunc
	// rule says who may call.
	rule accessRule
	// procedure is the RPC behind a REST route, "" otherwise.
	procedure string
	// stream: an RPC whose request is a stream.
	stream bool
	// variables is the number of those in the path.
	variables int
}

// serveFunc answers a request that was let in, or returns the error to answer with. variables are the values of the path's variables, in
// their order, percent-decoded once and otherwise as they came.
type serveFunc func(w http.ResponseWriter, r *http.Request, variables []string) error

// route is one path pattern and its methods. Segments in braces are variables; the others stand for themselves.
type route struct {
	pattern  string
	segments []string
	methods  map[string]*endpoint
	actions  map[string]string // method and pattern, by method
}

// maxSegments bounds those of a pattern, the empty one in front included.
const maxSegments = 8

// handle adds a method to a pattern, and with GET also HEAD. No path may match two patterns.
func (s *Server) handle(method, pattern string, e *endpoint) error {
	rt := &route{pattern: pattern, segments: strings.Split(pattern, "/"), methods: make(map[string]*endpoint), actions: make(map[string]string)}
	known := slices.IndexFunc(s.routes, func(known *route) bool { return overlap(known.segments, rt.segments) })
	switch {
	case len(rt.segments) > maxSegments:
		return fmt.Errorf("server: %s has more than %d segments", pattern, maxSegments-1)
	case known < 0:
		s.routes = append(s.routes, rt)
	case samePattern(s.routes[known].segments, rt.segments):
		rt = s.routes[known]
	default:
		return fmt.Errorf("server: some paths are both %s and %s", s.routes[known].pattern, pattern)
	}
	if rt.methods[method] != nil || method == http.MethodGet && rt.methods[http.MethodHead] != nil {
		return fmt.Errorf("server: %s %s is served twice", method, pattern)
	}
	for _, segment := range rt.segments {
		if isVariable(segment) {
			e.variables++
		}
	}
	rt.methods[method], rt.actions[method] = e, method+" "+pattern
	if method == http.MethodGet {
		rt.methods[http.MethodHead], rt.actions[http.MethodHead] = e, http.MethodHead+" "+pattern
	}
	return nil
}

// overlap reports whether one path can match two patterns.
func overlap(a, b []string) bool {
	return slices.EqualFunc(a, b, func(a, b string) bool { return a == b || isVariable(a) || isVariable(b) })
}

// samePattern reports whether two patterns differ in the names of their variables only.
func samePattern(a, b []string) bool {
	return slices.EqualFunc(a, b, func(a, b string) bool { return a == b || isVariable(a) && isVariable(b) })
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

// findEndpoint finds the endpoint that a request names, by method, path and media type alone. It works on the path as it was sent:
// nothing is cleaned or redirected, upper and lower case differ, and the query is not looked at.
func (s *Server) findEndpoint(r *http.Request) match {
	path := sentPath(r.URL)
	rpcForm := rpcFormOf(first(r.Header["Content-Type"]))
	if e, ok := s.procedures[path]; ok {
		if r.Method != http.MethodPost {
			wrong := &endpoint{serve: onlyPost, rule: e.rule, stream: e.stream}
			return match{endpoint: wrong, action: path, form: formPlain, notFound: true}
		}
		return match{endpoint: e, action: path, form: rpcForm}
	}
	if known, variables, ok := s.matchPath(path); ok {
		if e, ok := known.methods[r.Method]; ok {
			return match{endpoint: e, action: known.actions[r.Method], form: formREST, variables: variables}
		}
		if known.pattern != "/" { // a page there changes nothing for calls that were sent without a path
			return wrongMethodOf(known, r.Method, path)
		}
	}
	// Connect with JSON looks like any other request except for this header, which clients of the protocol send.
	if rpcForm != formConnect || r.Header.Get("Connect-Protocol-Version") != "" || s.underService(path) {
		return noEndpoint(rpcForm, unknownProcedure, "")
	}
	return noEndpoint(formPlain, noRoute, routeHint(r.Method, path))
}

// wrongMethodOf is the match of a request whose route does not have its method.
func wrongMethodOf(known *route, method, path string) match {
	m := noEndpoint(formREST, wrongMethod, routeHint(method, path))
	m.action, m.rule.open = known.pattern, known.open()
	refuse := m.serve
	m.serve = func(w http.ResponseWriter, r *http.Request, variables []string) error {
		w.Header().Set("Allow", known.allow())
		return refuse(w, r, variables)
	}
	return m
}

// noEndpoint is the match of a request that names no endpoint.
func noEndpoint(form form, why reason, hint string) match {
	f := &apiError{reason: why, message: errorTable[why].message + hint}
	serve := func(http.ResponseWriter, *http.Request, []string) error { return f }
	return match{endpoint: &endpoint{serve: serve}, form: form, notFound: true}
}

// onlyPost answers a request for a procedure with another method.
func onlyPost(w http.ResponseWriter, _ *http.Request, _ []string) error {
	w.Header().Set("Allow", http.MethodPost)
	http.Error(w, "a procedure is called with POST", http.StatusMethodNotAllowed)
	return nil
}

// sentPath returns a path as it was sent. [url.URL.EscapedPath] does too, but not where a client left characters
// unescaped that it should have escaped: there it escapes the decoded path, and "%2F" has become a separator.
func sentPath(u *url.URL) string {
	if plain, err := url.PathUnescape(u.RawPath); err == nil && u.RawPath != "" && plain == u.Path {
		return u.RawPath
	}
	return u.EscapedPath()
}

// matchPath finds the pattern of a path. No path matches two patterns: a segment that is literal in one is never
// variable in another of the same length. Literal segments are compared as they were sent: one that has to be decoded
// first would pass a proxy whose rules look at the path, and be served here all the same.
func (s *Server) matchPath(path string) (*route, []string, bool) {
	var room [maxSegments]string // which stays out of the heap
	segments := room[:0]
	for segment := range strings.SplitSeq(path, "/") {
		if len(segments) == len(room) {
			return nil, nil, false
		}
		segments = append(segments, segment)
	}
next:
	for _, candidate := range s.routes {
		if len(candidate.segments) != len(segments) {
			continue
		}
		var variables []string
		for i, want := range candidate.segments {
			switch {
			case isVariable(want):
				plain, err := url.PathUnescape(segments[i])
				if err != nil {
					continue next
				}
				if variables == nil {
					variables = make([]string, 0, 2) // no pattern of ours has more
				}
				variables = append(variables, plain)
			case want != segments[i]:
				continue next
			}
		}
		return candidate, variables, true
	}
	return nil, nil, false
}

// first returns the first value of a field, which [http.Header.Get] does too, but spells the name anew each time.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// allow lists the methods of a route, for the Allow header (RFC 9110 section 10.2.1).
func (rt *route) allow() string {
	methods := make([]string, 0, len(rt.methods))
	for method := range rt.methods {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// open reports whether all of a route is open.
func (rt *route) open() bool {
	for _, e := range rt.methods {
		if !e.rule.open {
			return false
		}
	}
	return true
}

func (s *Server) underService(path string) bool {
	return slices.ContainsFunc(s.services, func(name string) bool {
		return strings.HasPrefix(path, "/"+name+"/")
	})
}
