package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

const xff, fwd = "X-Forwarded-For", "Forwarded"

// forwardedRequests are requests from a peer, with the address that they count for.
var forwardedRequests = []struct {
	why, peer string
	headers   []string // name, value, name, value
	want      string
}{
	{"no proxy", "192.0.2.1:1", nil, "192.0.2.1"},
	{"a peer that is not a trusted proxy may write what it likes", "192.0.2.1:1", []string{xff, "198.51.100.1", fwd, "for=198.51.100.1"}, "192.0.2.1"},
	{"a proxy that says nothing", "10.0.0.1:1", nil, "10.0.0.1"},
	{"the client of one proxy", "10.0.0.1:1", []string{xff, "198.51.100.1"}, "198.51.100.1"},
	{"what the client itself wrote does not count", "10.0.0.1:1", []string{xff, "203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
	{"not even when it names a proxy", "10.0.0.1:1", []string{xff, "10.0.0.7, 198.51.100.1"}, "198.51.100.1"},
	{"through two proxies", "10.0.0.1:1", []string{xff, "198.51.100.1,10.0.0.2"}, "198.51.100.1"},
	{"on two lines", "10.0.0.1:1", []string{xff, "203.0.113.9, 198.51.100.1", xff, "10.0.0.3 ,\t10.0.0.2"}, "198.51.100.1"},
	{"all of them trusted: the outermost", "10.0.0.1:1", []string{xff, "10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
	{"with ports", "10.0.0.1:1", []string{xff, "198.51.100.1:4711, [2001:db8:1::2]:443"}, "198.51.100.1"},
	{"IPv6", "[2001:db8:1::1]:1", []string{xff, "2001:db8:2::1"}, "2001:db8:2::1"},
	{"IPv6 in brackets", "10.0.0.1:1", []string{xff, "[2001:db8:2::1]"}, "2001:db8:2::1"},
	{"IPv4 in IPv6 clothes, both of them", "[::ffff:10.0.0.1]:1", []string{xff, "::ffff:198.51.100.1"}, "198.51.100.1"},
	{"garbage before the client", "10.0.0.1:1", []string{xff, "<script>, 198.51.100.1"}, "198.51.100.1"},
	{"garbage in its place: the proxy", "10.0.0.1:1", []string{xff, "198.51.100.1, unknown"}, "10.0.0.1"},
	{"garbage behind a trusted proxy: that proxy", "10.0.0.1:1", []string{xff, "x, 10.0.0.2"}, "10.0.0.2"},
	{"an empty header", "10.0.0.1:1", []string{xff, ""}, "10.0.0.1"},
	{"an empty end", "10.0.0.1:1", []string{xff, "198.51.100.1,"}, "10.0.0.1"},
	{"a zone", "10.0.0.1:1", []string{xff, "fe80::1%eth0"}, "10.0.0.1"},
	{"a host name", "10.0.0.1:1", []string{xff, "client.example"}, "10.0.0.1"},
	{"a port that is none", "10.0.0.1:1", []string{xff, "198.51.100.1:http"}, "10.0.0.1"},
	{"leading zeros mean different things to different parsers", "10.0.0.1:1", []string{xff, "198.051.100.1"}, "10.0.0.1"},
	{"an endless list", "10.0.0.1:1", []string{xff, strings.Repeat("198.51.100.1, ", 3000) + strings.TrimSuffix(strings.Repeat("10.0.0.2, ", 40), ", ")}, "10.0.0.2"},

	{"Forwarded", "10.0.0.1:1", []string{fwd, "for=198.51.100.1"}, "198.51.100.1"},
	{"all that it may hold", "10.0.0.1:1", []string{fwd, `For="198.51.100.1:4711";proto=https;by=10.0.0.1;host="a, b;c\"d"`}, "198.51.100.1"},
	{"IPv6 in quotes", "10.0.0.1:1", []string{fwd, `for="[2001:db8:2::1]:443"`}, "2001:db8:2::1"},
	{"through two proxies", "10.0.0.1:1", []string{fwd, `for=203.0.113.9, for=198.51.100.1 , for="[2001:db8:1::2]"`}, "198.51.100.1"},
	{"on two lines", "10.0.0.1:1", []string{fwd, "for=198.51.100.1", fwd, "for=10.0.0.2"}, "198.51.100.1"},
	{"IPv6 without brackets is none", "10.0.0.1:1", []string{fwd, `for="2001:db8:2::1"`}, "10.0.0.1"},
	{"a name in its place", "10.0.0.1:1", []string{fwd, "for=198.51.100.1, for=_hidden"}, "10.0.0.1"},
	{"unknown", "10.0.0.1:1", []string{fwd, "for=unknown"}, "10.0.0.1"},
	{"without a for", "10.0.0.1:1", []string{fwd, "for=198.51.100.1, proto=https"}, "10.0.0.1"},
	{"two of them", "10.0.0.1:1", []string{fwd, "for=198.51.100.1;for=198.51.100.2"}, "10.0.0.1"},
	{"an open quote that would swallow the proxy's words", "10.0.0.1:1", []string{fwd, `for=203.0.113.9;x=", for=198.51.100.1`}, "10.0.0.1"},
	{"the same on a line before the proxy's", "10.0.0.1:1", []string{fwd, `for=203.0.113.9;x="`, fwd, "for=198.51.100.1"}, "198.51.100.1"},
	{"a line that is too long", "10.0.0.1:1", []string{fwd, strings.Repeat("for=203.0.113.9,", 300) + "for=198.51.100.1"}, "10.0.0.1"},
	{"no grammar at all", "10.0.0.1:1", []string{fwd, "198.51.100.1"}, "10.0.0.1"},

	{"both, and they agree", "10.0.0.1:1", []string{xff, "198.51.100.1", fwd, "for=198.51.100.1"}, "198.51.100.1"},
	{"both, and one is the client's own", "10.0.0.1:1", []string{xff, "198.51.100.1", fwd, "for=203.0.113.9"}, "10.0.0.1"},
	{"an address that is none", "@", []string{xff, "198.51.100.1"}, "@"},
}

func TestForwardedAddress(t *testing.T) {
	trusted := prefixes("127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48")
	for _, row := range forwardedRequests {
		r := &http.Request{RemoteAddr: row.peer, Header: http.Header{}}
		for i := 0; i+1 < len(row.headers); i += 2 {
			r.Header.Add(row.headers[i], row.headers[i+1])
		}
		if got := ForwardedAddress(trusted)(r); got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
		if got := ForwardedAddress(nil)(r); got != peerAddress(r) {
			t.Errorf("%s: %s without trusted proxies, want the peer", row.why, got)
		}
	}
}

// Whatever a client writes in front, the address is the one that the proxy wrote, or the proxy's own.
func FuzzForwardedAddress(f *testing.F) {
	for _, seed := range []string{"", "for=1.2.3.4", `for="`, `x="a\`, ",", ";;", "1.2.3.4, ", "[::1]:80", `for="[::1]`, "for=a;for=b", "unknown"} {
		f.Add(seed)
	}
	address := ForwardedAddress(prefixes("10.0.0.0/8"))
	f.Fuzz(func(t *testing.T, theirs string) {
		for _, row := range []struct{ header, proxy string }{{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=198.51.100.1"}} {
			for _, lines := range [][]string{{theirs, row.proxy}, {theirs + ", " + row.proxy}} {
				got := address(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{row.header: lines}})
				if got != "198.51.100.1" && (got != "10.0.0.1" || len(lines) == 2) {
					t.Errorf("%s %q = %s", row.header, lines, got)
				}
			}
		}
		for _, header := range []string{"X-Forwarded-For", "Forwarded"} {
			got := address(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{header: {theirs}}})
			if _, err := netip.ParseAddr(got); err != nil {
				t.Errorf("%s %q = %q, no address", header, theirs, got)
			}
		}
	})
}

func BenchmarkForwardedAddress(b *testing.B) {
	address := ForwardedAddress(prefixes("10.0.0.0/8"))
	for header, line := range map[string]string{"X-Forwarded-For": "%s198.51.100.1, 10.0.0.2", "Forwarded": "%sfor=198.51.100.1, for=10.0.0.2"} {
		for size, before := range map[string]string{"usual": "", "64KB": strings.Repeat("for=1, ", 9000)} {
			b.Run(header+"/"+size, func(b *testing.B) {
				r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{header: {fmt.Sprintf(line, before)}}}
				b.ReportAllocs()
				for b.Loop() {
					address(r)
				}
			})
		}
	}
}
