package server

import (
	"cmp"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds how many proxies are followed back to a client.
const maxHops = 32

// peerAddress returns the IP address of the connection's other end.
func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// ForwardedAddress returns a function for Config.ClientAddress that sees through the proxies in trusted.
//
// While the peer is a trusted proxy, the client is the last address in X-Forwarded-For or Forwarded (RFC 7239) that does not belong to
// a trusted proxy: the one that the outermost trusted proxy saw. The client may have written the entries before it. At an entry that
// cannot be read the search ends, and the proxy that passed it on counts as the client. Where both headers are there and do not agree
// the peer counts: a proxy that writes one of them passes the other on as it came from the client. With no prefix, the peer always counts.
func ForwardedAddress(trusted []netip.Prefix) func(*http.Request) string {
	if len(trusted) == 0 {
		return peerAddress
	}
	w := proxyChain{trusted: slices.Clone(trusted)}
	return func(r *http.Request) string {
		proxy, trusted := w.peer(r)
		if !trusted {
			return peerAddress(r)
		}
		listed, forwarded := r.Header["X-Forwarded-For"], r.Header["Forwarded"]
		client := proxy
		switch {
		case len(forwarded) == 0:
			client = w.client(proxy, listed, listedHops).from
		case len(listed) == 0:
			client = w.client(proxy, forwarded, forwardedHops).from
		default:
			if one := w.client(proxy, listed, listedHops).from; one == w.client(proxy, forwarded, forwardedHops).from {
				client = one
			}
		}
		return client.String()
	}
}

// proxyChain finds the client behind a chain of trusted proxies.
type proxyChain struct{ trusted []netip.Prefix }

func (w proxyChain) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(w.trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// peer returns the address of the connection's other end, and whether it is a trusted proxy's.
func (w proxyChain) peer(r *http.Request) (ip netip.Addr, trusted bool) {
	ip, err := netip.ParseAddr(peerAddress(r))
	ip = ip.Unmap()
	return ip, err == nil && w.trusts(ip)
}

// scheme returns the one with which the outermost trusted proxy was called, http or https, and "" where no trusted proxy says it.
// X-Forwarded-Proto counts as the peer sends it, which has to overwrite what came to it; in Forwarded the client's element counts.
// Where both say one and do not agree neither counts, as for the client's address.
func (w proxyChain) scheme(r *http.Request) string {
	proxy, trusted := w.peer(r)
	if !trusted {
		return ""
	}
	one, other := "", w.client(proxy, r.Header["Forwarded"], forwardedHops).scheme
	if said := r.Header["X-Forwarded-Proto"]; len(said) == 1 {
		one = webScheme(said[0])
	}
	switch {
	case one == "" || one == other:
		return other
	case other == "":
		return one
	}
	return ""
}

// client goes back through the lines of a header, the last one first, for as long as proxies are trusted. parse gives the
// hops in one line, the last one first; one without a valid address names no client, or could not be read, and is the last to count.
func (w proxyChain) client(proxy netip.Addr, lines []string, parse func(string) iter.Seq[hop]) hop {
	at, hops := hop{from: proxy}, 0
	for _, line := range slices.Backward(lines) {
		for h := range parse(line) {
			if hops++; hops > maxHops {
				return at
			}
			if !h.from.IsValid() {
				at.scheme = cmp.Or(h.scheme, at.scheme) // a trusted proxy wrote it, who names no client
				return at
			}
			if at = h; !w.trusts(at.from) {
				return at
			}
		}
	}
	return at
}

// listedHops reads a line of X-Forwarded-For from its end: addresses, some of them with a port, between commas.
func listedHops(line string) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		for rest, more := line, true; more; {
			entry, i := rest, strings.LastIndexByte(rest, ',')
			if more = i >= 0; more {
				rest, entry = rest[:i], rest[i+1:]
			}
			if !yield(hop{from: nodeAddress(strings.Trim(entry, " \t"))}) {
				return
			}
		}
	}
}

// nodeAddress reads an address with or without a port, the zero Addr when it is none. An IPv6 address may stand in
// brackets, and must when there is a port.
func nodeAddress(text string) netip.Addr {
	host := text
	if inner, ok := strings.CutPrefix(text, "["); ok {
		var rest string
		if host, rest, ok = strings.Cut(inner, "]"); !ok || rest != "" && !isPort(rest) || !strings.Contains(host, ":") {
			return netip.Addr{}
		}
	} else if i := strings.IndexByte(text, ':'); i >= 0 && strings.LastIndexByte(text, ':') == i {
		if host = text[:i]; !isPort(text[i:]) {
			return netip.Addr{}
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// isPort reports whether text is a colon and a port.
func isPort(text string) bool {
	digits, ok := strings.CutPrefix(text, ":")
	return ok && digits != "" && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}
