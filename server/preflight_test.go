package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// mayCall reports whether a browser lets a page go on after the answer to its preflight (Fetch standard, "CORS-preflight
// fetch"): methods are compared with their case, names of headers without.
func mayCall(res *http.Response, origin, method string, headers []string) bool {
	if res.StatusCode < 200 || res.StatusCode > 299 || !slices.Equal(res.Header.Values("Access-Control-Allow-Origin"), []string{origin}) {
		return false
	}
	methods := listed(res.Header.Values("Access-Control-Allow-Methods"))
	if simple := method == "GET" || method == "HEAD" || method == "POST"; !simple && !slices.Contains(methods, method) {
		return false
	}
	names := listed(res.Header.Values("Access-Control-Allow-Headers"))
	for _, header := range headers {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, header) }) {
			return false
		}
	}
	return true
}

func listed(values []string) []string {
	var items []string
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	return items
}

// Browsers sort the names and write them in lower case; other clients and proxies need not.
func TestPreflights(t *testing.T) {
	const page, rest = "https://app.example:8443", "/management/v1/users/" + alice + "/avatar"
	f := start(t, func(c *Config) {
		c.AllowedOrigin = func(origin string) bool { return origin == page }
		c.AllowedHeaders = []string{"X-App-Version"}
	})
	for _, row := range []struct {
		title, path, method string
		asked               []string // Access-Control-Request-Headers
		want                bool
	}{
		{"REST", rest, "DELETE", []string{"authorization,x-zitadel-orgid"}, true},
		{"the other way round", rest, "DELETE", []string{"x-zitadel-orgid,authorization"}, true},
		{"capitals", rest, "DELETE", []string{"AUTHORIZATION,X-ZITADEL-ORGID"}, true},
		{"as in documents, with spaces", rest, "DELETE", []string{"X-Zitadel-Orgid , Authorization"}, true},
		{"in two header lines", rest, "DELETE", []string{"x-zitadel-orgid", "authorization"}, true},
		{"no header at all", rest, "DELETE", nil, true},
		{"REST with the gateway's name, and a deadline", rest, "DELETE", []string{"grpc-timeout,authorization,grpc-metadata-x-zitadel-orgid"}, true},
		{"upload", "/assets/v1/users/me/avatar", "POST", []string{"x-request-id,authorization,content-type"}, true},
		{"read with a validator", "/assets/v1/users/me/avatar", "GET", []string{"if-none-match,authorization"}, true},
		{"Connect", removeProcedure, "POST", []string{"authorization,connect-protocol-version,connect-timeout-ms,content-type"}, true},
		{"Connect, backwards", removeProcedure, "POST", []string{"Content-Type,Connect-Timeout-Ms,Connect-Protocol-Version,Authorization"}, true},
		{"gRPC-Web", removeProcedure, "POST", []string{"authorization,content-type,grpc-timeout,x-grpc-web,x-user-agent,x-zitadel-orgid"}, true},
		{"gRPC-Web, backwards", removeProcedure, "POST", []string{"X-Zitadel-Orgid,X-User-Agent,X-Grpc-Web,Grpc-Timeout,Content-Type,Authorization"}, true},
		{"what axios and jQuery add", rest, "DELETE", []string{"authorization,x-requested-with"}, true},
		{"what OpenTelemetry adds", removeProcedure, "POST", []string{"authorization,baggage,content-type,traceparent,tracestate"}, true},
		{"a configured one, in another case", rest, "DELETE", []string{"authorization,X-APP-VERSION"}, true},
		{"one header more than there is", rest, "DELETE", []string{"authorization,x-something"}, false},
		{"a method that nothing has", rest, "PUT", []string{"authorization"}, false},
		{"a method in small letters", rest, "delete", []string{"authorization"}, false},
	} {
		for _, origin := range []struct {
			text    string
			allowed bool
		}{
			{page, true}, {"https://evil.example", false}, {"null", false}, {"https://app.example", false},
			{"https://APP.example:8443", false}, {page + "/", false}, {"http://app.example:8443", false}, {page + ", https://evil.example", false},
		} {
			headers := []string{"Origin", origin.text, "Access-Control-Request-Method", row.method}
			for _, asked := range row.asked {
				headers = append(headers, "Access-Control-Request-Headers", asked)
			}
			res, _ := f.do(t, http.MethodOptions, row.path, nil, headers...)
			want := row.want && origin.allowed
			if got := mayCall(res, origin.text, row.method, listed(row.asked)); got != want {
				t.Errorf("%s from %s: may call %v, want %v: %d %v", row.title, origin.text, got, want, res.StatusCode, res.Header)
			}
			if !origin.allowed {
				wantNoCORS(t, row.title+" from "+origin.text, res.Header)
			}
		}
	}
	if !f.has(t, alice, acme) {
		t.Error("a preflight has removed the picture")
	}
}

func wantNoCORS(t *testing.T, title string, header http.Header) {
	t.Helper()
	for name := range header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("%s: the answer has %s", title, name)
		}
	}
}

// Two origins in one request count as none. Vary names everything that an answer depends on.
func TestCrossOriginNeedsOneOrigin(t *testing.T) {
	const page = "https://app.example"
	f := start(t, func(c *Config) { c.AllowedOrigin, c.PublicAssets = func(string) bool { return true }, false })
	read := "/assets/v1/" + acme + "/users/" + alice + "/avatar"
	for _, row := range []struct {
		title   string
		headers []string
		want    string
		vary    []string
	}{
		{"one", []string{"Origin", page}, page, []string{"Origin", "Authorization"}},
		{"none", nil, "", []string{"Origin", "Authorization"}},
		{"two", []string{"Origin", page, "Origin", page}, "", []string{"Origin", "Authorization"}},
	} {
		res, body := f.do(t, http.MethodGet, read, nil, append(row.headers, "Authorization", "Bearer alice-token-1")...)
		if got := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode != http.StatusOK || got != row.want {
			t.Errorf("%s: %d allows %q, want %q: %s", row.title, res.StatusCode, got, row.want, body)
		}
		if got := listed(res.Header.Values("Vary")); !slices.Equal(got, row.vary) {
			t.Errorf("%s: Vary is %q, want %q", row.title, got, row.vary)
		}
	}
}

// Pages see every header of ours, in success and failure.
func TestCrossOriginExposes(t *testing.T) {
	f := start(t, func(c *Config) { c.AllowedOrigin = func(string) bool { return true } })
	res, _ := f.do(t, http.MethodDelete, "/auth/v1/users/me/avatar", nil, "Origin", "https://app.example")
	exposed := listed(res.Header.Values("Access-Control-Expose-Headers"))
	for _, name := range []string{"X-Request-Id", receiptHeader, noticeHeader, "WWW-Authenticate", "Retry-After", "ETag",
		"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"} {
		if !slices.ContainsFunc(exposed, func(item string) bool { return strings.EqualFold(item, name) }) {
			t.Errorf("pages may see %q, want %s among them", exposed, name)
		}
	}
}
