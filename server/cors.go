package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// What pages of an allowed origin may send and see. Simple headers such as Content-Language need no mention, and
// which request headers a page uses is its own business as long as they are these. Libraries add some that are nothing to us:
// X-Requested-With, and those of traces (W3C Trace Context and Baggage). One that is not listed fails the whole call.
const (
	corsMethods = "GET, HEAD, POST, DELETE"
	corsRequest = "Authorization, Content-Type, X-Zitadel-Orgid, Grpc-Metadata-X-Zitadel-Orgid, X-Request-Id, " +
		"Connect-Protocol-Version, Connect-Timeout-Ms, Grpc-Timeout, X-Grpc-Web, X-User-Agent, If-Match, If-None-Match, " +
		"X-Requested-With, Traceparent, Tracestate, Baggage"
	corsAnswer = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, WWW-Authenticate, Retry-After, X-Request-Id, " +
		"X-Avatard-Receipt, X-Avatard-Notice, ETag"
	corsSeconds = "7200" // the longest that browsers keep a preflight
)

// crossOrigin lets pages of allowed origins call the API (Fetch standard, CORS protocol). Never with credentials of
// the browser's own: a caller is who sends a token. For any other origin the answers carry no CORS header at all, and
// the browser keeps them from the page.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	if s.AllowedOrigin == nil {
		return next
	}
	request := strings.Join(append([]string{corsRequest}, s.AllowedHeaders...), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origins := r.Header.Values("Origin")
		if len(origins) != 1 || origins[0] == "null" || !s.AllowedOrigin(origins[0]) {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origins[0])
		asked := r.Header.Get("Access-Control-Request-Method")
		if r.Method != http.MethodOptions || asked == "" {
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

// CheckHeaderName returns what is wrong with the name of a request header that pages are to be allowed (Config.AllowedHeaders).
func CheckHeaderName(name string) error {
	const token = "!#$%&'+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz" // RFC 9110 section 5.6.2, without "*"
	switch {
	case name == "*":
		return fmt.Errorf("%q is no name, and browsers do not take it for Authorization; expected each header by its name", name)
	case name == "" || len(name) > 64 || strings.Trim(strings.ToLower(name), token) != "":
		return fmt.Errorf("%q is no name of a header; expected 1 to 64 letters, digits and dashes", name)
	}
	return nil
}
