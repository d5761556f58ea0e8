package cli

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// devHosts are the names under which the development server answers, and so the ones it may listen on.
func isDevHost(host string) bool {
	return strings.EqualFold(host, "localhost") || host == "127.0.0.1" || host == "::1"
}

// checkDevListen refuses an address that anybody but this machine could reach: dev hands out administrators' tokens.
func checkDevListen(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !isDevHost(host) {
		return usagef("--listen %s: dev is for this machine alone; expected 127.0.0.1, [::1] or localhost with a port", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usagef("--listen %s: expected a port of 0 to 65535, 0 for any free one", addr)
	}
	return nil
}

// devAddress returns the host and port to write into URLs for a listener that was asked for as addr: the name the
// user chose, the port they got.
func devAddress(addr string, ln net.Listener) string {
	host, _, _ := net.SplitHostPort(addr) // checkDevListen has looked at it
	return net.JoinHostPort(host, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
}

// onlyDevHosts answers 421 to a request that was meant for another name. A page of the open web can make a
// browser resolve its own name to this machine (DNS rebinding); the Host field then still tells.
func onlyDevHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isDevHost(namedHost(r)) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.WriteHeader(http.StatusMisdirectedRequest)
			fmt.Fprintln(w, "This development server answers to localhost, 127.0.0.1 and [::1] only.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// namedHost returns the host that a request was meant for, without its port and without brackets.
func namedHost(r *http.Request) string {
	if host, port, err := net.SplitHostPort(r.Host); err == nil && isDecimal(port) {
		return host
	}
	if inner, ok := strings.CutPrefix(r.Host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return r.Host
}

// isDevOrigin reports whether a web origin is a page that this machine serves, such as a frontend under development.
func isDevOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && isDevHost(u.Hostname()) &&
		origin == u.Scheme+"://"+u.Host
}

func isDecimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
