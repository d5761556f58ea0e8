package server

import (
	"crypto/tls"
	"net/http"
	"testing"
)

const xfp = "X-Forwarded-Proto"

// calledRequests are requests, with the address that documents name for them.
var calledRequests = []struct {
	why, peer, host string
	secure          bool
	headers         []string // name, value, name, value
	want            string
}{
	{"a port", "192.0.2.1:1", "avatars.example:8443", false, nil, "http://avatars.example:8443"},
	{"TLS", "192.0.2.1:1", "avatars.example", true, nil, "https://avatars.example"},
	{"IPv6", "192.0.2.1:1", "[::1]:80", false, nil, "http://[::1]:80"},
	{"a name of a network's own", "192.0.2.1:1", "avatard_1", false, nil, "http://avatard_1"},
	{"foreign text", "192.0.2.1:1", `x",y`, false, nil, "/"},
	{"a space", "192.0.2.1:1", "a b", false, nil, "/"},
	{"markup", "192.0.2.1:1", "<script>", true, nil, "/"},
	{"no name", "192.0.2.1:1", "", true, nil, "/"},

	{"a stranger says what they like", "192.0.2.1:1", "a.example", false, []string{xfp, "https", fwd, "for=1.2.3.4;proto=https"}, "http://a.example"},
	{"and gets no cleartext", "192.0.2.1:1", "a.example", true, []string{xfp, "http", fwd, "for=1.2.3.4;proto=http"}, "https://a.example"},
	{"a proxy that says nothing", "10.0.0.1:1", "a.example", false, nil, "http://a.example"},
	{"a proxy with TLS", "10.0.0.1:1", "a.example", false, []string{xfp, "https"}, "https://a.example"},
	{"in capitals, in IPv6 clothes", "[::ffff:10.0.0.1]:1", "a.example", false, []string{xfp, "HTTPS"}, "https://a.example"},
	{"TLS to avatard alone", "10.0.0.1:1", "a.example", true, []string{xfp, "http"}, "http://a.example"},
	{"another scheme", "10.0.0.1:1", "a.example", false, []string{xfp, "javascript"}, "http://a.example"},
	{"two lines", "10.0.0.1:1", "a.example", false, []string{xfp, "https", xfp, "http"}, "http://a.example"},
	{"another name there", "10.0.0.1:1", "a.example", false, []string{xfp, "https", "X-Forwarded-Host", "evil.example"}, "https://a.example"},
	{"Forwarded", "10.0.0.1:1", "a.example", false, []string{fwd, `for=198.51.100.1;Proto="https";host=evil.example`}, "https://a.example"},
	{"Forwarded of a proxy that names no client", "10.0.0.1:1", "a.example", false, []string{fwd, "proto=https;host=a.example"}, "https://a.example"},
	{"behind what the client wrote itself", "10.0.0.1:1", "a.example", false, []string{fwd, "for=1.2.3.4;proto=http, proto=https"}, "https://a.example"},
	{"a client that hides", "10.0.0.1:1", "a.example", false, []string{fwd, "for=_hidden;proto=https"}, "https://a.example"},
	{"not of that grammar", "10.0.0.1:1", "a.example", false, []string{fwd, `proto=https;for="1.2.3.4`}, "http://a.example"},
	{"through two proxies", "10.0.0.1:1", "a.example", false, []string{fwd, "for=198.51.100.1;proto=https, for=10.0.0.2;proto=http"}, "https://a.example"},
	{"what the client wrote itself", "10.0.0.1:1", "a.example", false, []string{fwd, "for=1.2.3.4;proto=https, for=198.51.100.1;proto=http"}, "http://a.example"},
	{"both, and they agree", "10.0.0.1:1", "a.example", false, []string{xfp, "https", fwd, "for=198.51.100.1;proto=https"}, "https://a.example"},
	{"both, and one says no scheme", "10.0.0.1:1", "a.example", false, []string{xfp, "https", fwd, "for=198.51.100.1"}, "https://a.example"},
	{"both, and one is the client's own", "10.0.0.1:1", "a.example", true, []string{xfp, "https", fwd, "for=203.0.113.9;proto=http"}, "https://a.example"},
}

// Documents name the address at which their reader called, and nothing that strangers wrote.
func TestDocumentsNameTheCalledAddress(t *testing.T) {
	f := start(t, func(c *Config) { c.Proxies = prefixes("10.0.0.0/8") })
	for _, row := range calledRequests {
		r := &http.Request{RemoteAddr: row.peer, Host: row.host, Header: http.Header{}}
		if row.secure {
			r.TLS = &tls.ConnectionState{}
		}
		for i := 0; i+1 < len(row.headers); i += 2 {
			r.Header.Add(row.headers[i], row.headers[i+1])
		}
		if got := f.server.calledURL(r); got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
}
