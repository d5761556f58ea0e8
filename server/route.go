package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// target is what a method and a path name.
type target struct {
	action string // for log and audit: the procedure, or method and pattern; "" for nothing
	form   form
	serve  http.HandlerFunc
	// open: needs no token, for health and reflection.
	open bool
	// stream: an RPC whose request is a stream.
	stream bool
}

// route is one path pattern and its methods. Segments in braces are variables; the others stand for themselves.
type route struct {
	pattern  string
	segments []string
	methods  map[string]endpoint
	open     bool // as in target
}

// endpoint serves one method of a route; variables are the values of the pattern's, in their order, percent-decoded
// once and otherwise as they came.
type endpoint func(w http.ResponseWriter, r *http.Request, variables []string)

// handle adds a method to a pattern, whose route it returns.
func (s *Server) handle(method, pattern string, serve endpoint) *route {
	for _, known := range s.routes {
		if samePattern(known.pattern, pattern) {
			known.methods[method] = serve
			return known
		}
	}
	added := &route{pattern: pattern, segments: strings.Split(pattern, "/"), methods: map[string]endpoint{method: serve}}
	s.routes = append(s.routes, added)
	return added
}

// samePattern reports whether two patterns differ in the names of their variables only.
func samePattern(a, b string) bool {
	return slices.EqualFunc(strings.Split(a, "/"), strings.Split(b, "/"), func(a, b string) bool {
		return a == b || isVariable(a) && isVariable(b)
	})
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

// route finds what a request names, from method, path and media type alone. It works on the path as it was sent:
// nothing is cleaned, redirected or compared in any case but its own, and the query is not looked at.
func (s *Server) route(r *http.Request) target {
	path := sentPath(r.URL)
	rpcForm := rpcFormOf(r.Header.Get("Content-Type"))
	if p, ok := s.procedures[path]; ok {
		t := target{action: path, form: rpcForm, open: p.open, stream: p.stream}
		t.serve = func(w http.ResponseWriter, r *http.Request) {
			r.Body = newMessageBody(w, r, orDefault(p.maxMessage, MaxMessageBytes))
			s.serveProcedure(w, r, p)
		}
		if r.Method != http.MethodPost {
			t.form = formPlain
			t.serve = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Allow", http.MethodPost)
				http.Error(w, "a procedure is called with POST", http.StatusMethodNotAllowed)
			}
		}
		return t
	}
	if known, variables, ok := s.match(path); ok {
		t := target{action: r.Method + " " + known.pattern, form: formREST, open: known.open}
		if serve, ok := known.methods[r.Method]; ok {
			t.serve = func(w http.ResponseWriter, r *http.Request) { serve(w, r, variables) }
			return t
		}
		t.action, t.serve = known.pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", known.allow())
			s.refuse(w, r, &failure{situation: wrongMethod, message: outcomes[wrongMethod].message + routeHint(r.Method, path)})
		}
		return t
	}
	// Connect with JSON looks like any other request, but for this header, which clients of the protocol send.
	if rpcForm != formConnect || r.Header.Get("Connect-Protocol-Version") != "" || s.underService(path) {
		return target{form: rpcForm, serve: s.refusing(unknownProcedure)}
	}
	return target{form: formPlain, serve: func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, &failure{situation: noRoute, message: outcomes[noRoute].message + routeHint(r.Method, path)})
	}}
}

// sentPath returns a path as it was sent. [url.URL.EscapedPath] does too, but not where a client left characters
// unescaped that it should have escaped: there it escapes the decoded path, and "%2F" has become a separator.
func sentPath(u *url.URL) string {
	if plain, err := url.PathUnescape(u.RawPath); err == nil && u.RawPath != "" && plain == u.Path {
		return u.RawPath
	}
	return u.EscapedPath()
}

// match finds the pattern of a path. No path matches two patterns: a segment that is literal in one is never
// variable in another of the same length. Literal segments are compared as they were sent: one that has to be decoded
// first would pass a proxy whose rules look at the path, and be served here all the same.
func (s *Server) match(path string) (*route, []string, bool) {
	segments := strings.Split(path, "/")
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
				variables = append(variables, plain)
			case want != segments[i]:
				continue next
			}
		}
		return candidate, variables, true
	}
	return nil, nil, false
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

func (s *Server) underService(path string) bool {
	return slices.ContainsFunc(s.services, func(name string) bool {
		return strings.HasPrefix(path, "/"+name+"/")
	})
}

func (s *Server) refusing(why situation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, &failure{situation: why}) }
}
