package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"example.org/avatard/authz/limit"
)

// Pages of an allowed origin may send and read these headers. Simple ones such as Content-Language need no mention. Some are listed only
// because libraries add them: X-Requested-With, and those of traces (W3C Trace Context and Baggage). A page that sends a header that is
// not listed fails its whole call.
const (
	corsMethods = "GET, HEAD, POST, DELETE"
	corsRequest = "Authorization, Content-Type, X-Zitadel-Orgid, Grpc-Metadata-X-Zitadel-Orgid, X-Request-Id, " +
		"Connect-Protocol-Version, Connect-Timeout-Ms, Grpc-Timeout, X-Grpc-Web, X-User-Agent, If-Match, If-None-Match, " +
		"X-Requested-With, Traceparent, Tracestate, Baggage"
	corsAnswer = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, WWW-Authenticate, Retry-After, X-Request-Id, " +
		"X-Avatard-Receipt, X-Avatard-Notice, ETag"
	corsSeconds = "7200" // the longest that browsers keep a preflight
)

// cors lets pages of allowed origins call the API (Fetch standard, CORS protocol), but never with credentials of the browser's own:
// callers send a token. Answers to any other origin have no CORS header at all, so that the browser keeps them from the page. A preflight
// of such a page is a valid request and is answered 204 without CORS headers; the log names the origin. No page calls a hook.
func (s *Server) cors(next http.Handler) http.Handler {
	request := strings.Join(append([]string{corsRequest}, s.config.AllowedHeaders...), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(s.config.Hooks) > 0 && strings.HasPrefix(r.URL.Path, hookPrefix) {
			next.ServeHTTP(w, r)
			return
		}
		h, origins := w.Header(), r.Header["Origin"]
		if s.config.AllowedOrigin != nil {
			h.Add("Vary", "Origin")
		}
		asked := first(r.Header["Access-Control-Request-Method"])
		preflight := r.Method == http.MethodOptions && asked != "" && len(origins) > 0
		if len(origins) != 1 || origins[0] == "null" || s.config.AllowedOrigin == nil || !s.config.AllowedOrigin(origins[0]) {
			if !preflight {
				next.ServeHTTP(w, r)
				return
			}
			s.logForeignOrigin(r, strings.Join(origins, ", "))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Access-Control-Allow-Origin", origins[0])
		if !preflight {
			h.Set("Access-Control-Expose-Headers", corsAnswer)
			next.ServeHTTP(w, r)
			return
		}
		if slices.Contains(strings.Split(corsMethods, ", "), asked) {
			h.Set("Access-Control-Allow-Methods", corsMethods)
			h.Set("Access-Control-Allow-Headers", request)
			h.Set("Access-Control-Max-Age", corsSeconds)
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// logForeignOrigin logs that the browser keeps a page from calling. The bounds for calls without a token hold for these lines, too.
func (s *Server) logForeignOrigin(r *http.Request, origin string) {
	address := s.config.ClientAddress(r)
	if !s.logSums.line(limit.Address(address)) {
		s.logSums.count(limit.Address(address), "foreign origin")
		return
	}
	c := &call{credentials: r.Header["Authorization"]}
	s.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "a page of this origin may not call: cors.origins does not list it",
		slog.String("origin", c.printablePath(origin)), slog.String("address", address))
}

// CheckHeaderName returns what is wrong with the name of a request header that pages are to be allowed (Config.AllowedHeaders).
func CheckHeaderName(name string) error {
	const characters = "!#$%&'+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz" // RFC 9110 section 5.6.2, without "*"
	switch {
	case name == "*":
		return fmt.Errorf("%q is no name, and browsers do not take it for Authorization; expected each header by its name", name)
	case name == "" || len(name) > 64 || strings.Trim(strings.ToLower(name), characters) != "":
		return fmt.Errorf("%q is no name of a header; expected 1 to 64 letters, digits and dashes", name)
	}
	return nil
}
