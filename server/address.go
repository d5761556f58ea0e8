package server

import (
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
		peer := peerAddress(r)
		ip, err := netip.ParseAddr(peer)
		if err != nil || !w.trusts(ip.Unmap()) {
			return peer
		}
		listed, forwarded := r.Header["X-Forwarded-For"], r.Header["Forwarded"]
		client := ip.Unmap()
		switch {
		case len(forwarded) == 0:
			client = w.client(client, listed, listedAddresses)
		case len(listed) == 0:
			client = w.client(client, forwarded, forwardedAddresses)
		default:
			if one := w.client(client, listed, listedAddresses); one == w.client(client, forwarded, forwardedAddresses) {
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

// client goes back through the lines of a header, the last one first, for as long as proxies are trusted. parse gives the
// addresses in one line, the last one first; one that is not valid could not be read.
func (w proxyChain) client(at netip.Addr, lines []string, parse func(string) iter.Seq[netip.Addr]) netip.Addr {
	hops := 0
	for _, line := range slices.Backward(lines) {
		for ip := range parse(line) {
			if hops++; !ip.IsValid() || hops > maxHops {
				return at
			}
			if at = ip; !w.trusts(at) {
				return at
			}
		}
	}
	return at
}

// listedAddresses reads a line of X-Forwarded-For from its end: addresses, some of them with a port, between commas.
func listedAddresses(line string) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for rest, more := line, true; more; {
			entry, i := rest, strings.LastIndexByte(rest, ',')
			if more = i >= 0; more {
				rest, entry = rest[:i], rest[i+1:]
			}
			if !yield(nodeAddress(strings.Trim(entry, " \t"))) {
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
