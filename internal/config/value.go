package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/internal/ids"
	"example.org/avatard/server"
	"example.org/avatard/storage"
)

// Bounds of durations. They catch a mistaken unit, not a matter of taste.
const (
	maxCacheTTL = 10 * time.Minute
	minTimeout  = 10 * time.Millisecond
	minIdle     = time.Second
	maxIdle     = 24 * time.Hour
	minGrace    = 100 * time.Millisecond
	maxTimeout  = 30 * time.Second
	maxGrace    = 10 * time.Minute
)

// The functions below read one value each. Their errors go on after the name of the setting:
// "listen: \"8080\" has no port; expected host:port".

func parseAddress(to *string, s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is no address; expected host:port, such as 127.0.0.1:8080", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no usable port; expected 0 to 65535, 0 for any free one", s)
	}
	*to = s
	return nil
}

// parseLocalAddress is parseAddress for what only this machine is to reach unless told otherwise.
func parseLocalAddress(to *string, s string) error {
	err := parseAddress(to, s)
	if host, port, _ := net.SplitHostPort(s); err == nil && host == "" {
		*to = net.JoinHostPort("127.0.0.1", port)
	}
	return err
}

// parseEndpoint accepts the URL of a collector. Credentials in it would end up in the log when it cannot be reached.
func parseEndpoint(to *string, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is no URL of a collector; expected http or https without user, query and fragment, such as http://127.0.0.1:4318")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	*to = u.String()
	return nil
}

func parseRatio(to *float64, s string) error {
	ratio, err := strconv.ParseFloat(s, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return fmt.Errorf("%q is no share; expected a number from 0 to 1, such as 0.01", s)
	}
	*to = ratio
	return nil
}

func parsePath(to *string, s string) error {
	if strings.ContainsRune(s, 0) {
		return fmt.Errorf("%q is no path; expected one without NUL", s)
	}
	*to = s
	return nil
}

// ParseIssuer accepts what RFC 8414 section 2 calls an issuer. Plain http would hand client secret and tokens to
// everybody on the way, so it is for loopback only.
func ParseIssuer(to *string, s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("is no URL with a host; expected one such as https://id.example")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return errors.New("holds a user, a query or a fragment; expected scheme, host and path only")
	case u.Scheme == "http" && !isLoopbackHost(u.Hostname()):
		return fmt.Errorf("%q is plain http; expected https, except for a provider on loopback", s)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q has the scheme %q; expected https", s, u.Scheme)
	case len(s) > storage.MaxIDBytes:
		return fmt.Errorf("is %d bytes long; expected at most %d", len(s), storage.MaxIDBytes)
	}
	*to = s
	return nil
}

// parseProviderURL accepts where a provider is asked, which is as well protected as its issuer has to be.
func parseProviderURL(to *string, s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(s, "#"):
		return errors.New("is no URL with a host, or holds a user or a fragment; expected one such as https://id.internal.example/oauth/introspect")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopbackHost(u.Hostname())):
		return fmt.Errorf("%q has the scheme %q; expected https, or http on loopback", s, u.Scheme)
	}
	*to = s
	return nil
}

// isLoopbackHost reports whether a host, without port and brackets, can only be this machine.
func isLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func parseName(to *string, s string) error {
	if !ids.Valid(s) {
		return fmt.Errorf("%q is no id; expected 1 to 200 characters without control characters", s)
	}
	*to = s
	return nil
}

// parseRealm keeps to characters that need no escaping in a quoted string (RFC 9110 section 5.6.4).
func parseRealm(to *string, s string) error {
	for _, r := range s {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return fmt.Errorf("%q holds %q; expected printable ASCII without quotes and backslashes", s, r)
		}
	}
	if len(s) > 200 {
		return fmt.Errorf("is %d bytes long; expected at most 200", len(s))
	}
	*to = s
	return nil
}

func parseDuration(to *time.Duration, s string, least, most time.Duration) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration; expected a number with a unit, such as 500ms, 5s or 2m", s)
	}
	if d < least || d > most {
		return fmt.Errorf("%q is out of range; expected %v to %v", s, least, most)
	}
	*to = d
	return nil
}

func parseSwitch(to *bool, s string) error {
	switch s {
	case "true":
		*to = true
	case "false":
		*to = false
	default:
		return fmt.Errorf("%q is neither; expected true or false", s)
	}
	return nil
}

func parseLevel(to *slog.Level, s string) error {
	switch s {
	case "debug", "info", "warn", "error":
		return to.UnmarshalText([]byte(s))
	}
	return fmt.Errorf("%q is no level; expected debug, info, warn or error", s)
}

func parseFormat(to *string, s string) error {
	if s != "text" && s != "json" {
		return fmt.Errorf("%q is no format; expected text or json", s)
	}
	*to = s
	return nil
}

func parseIDs(to *[]string, items []string) error {
	var faults []error
	for _, s := range items {
		var id string
		faults = append(faults, parseName(&id, s))
	}
	*to = items
	return errors.Join(faults...)
}

// parseOrigins accepts web origins as browsers send them (RFC 6454 section 6.2); they are compared as text.
func parseOrigins(to *[]string, items []string) error {
	var faults []error
	for _, s := range items {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || s != u.Scheme+"://"+strings.ToLower(u.Host) {
			faults = append(faults, fmt.Errorf("%q is no origin; expected scheme and host, with the port if it has one: https://app.example", s))
		}
	}
	*to = items
	return errors.Join(faults...)
}

// maxHeaderNames bounds the answer to each preflight.
const maxHeaderNames = 32

// parseHeaderNames accepts names of request headers.
func parseHeaderNames(to *[]string, items []string) error {
	var faults []error
	for _, s := range items {
		faults = append(faults, server.CheckHeaderName(s))
	}
	if len(items) > maxHeaderNames {
		faults = append(faults, fmt.Errorf("%d headers are too many; expected %d at most", len(items), maxHeaderNames))
	}
	*to = items
	return errors.Join(faults...)
}

// parseScopes accepts scopes (RFC 6749 section 3.3).
func parseScopes(to *[]string, items []string) error {
	var faults []error
	for _, s := range items {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			faults = append(faults, fmt.Errorf("%q is no scope; expected printable ASCII without spaces, quotes and backslashes", s))
		}
	}
	*to = items
	return errors.Join(faults...)
}

func parseRoles(to *map[string][]authz.Permission, rows map[string][]string) error {
	known := map[authz.Permission]bool{}
	for _, p := range Permissions() {
		known[p] = true
	}
	roles := make(map[string][]authz.Permission, len(rows))
	var faults []error
	for _, role := range sortedKeys(rows) {
		if !ids.Valid(role) {
			faults = append(faults, fmt.Errorf("%q is no role; expected 1 to 200 characters without control characters", role))
		}
		roles[role] = []authz.Permission{}
		for _, name := range rows[role] {
			if p := authz.Permission(name); known[p] {
				roles[role] = append(roles[role], p)
			} else {
				faults = append(faults, fmt.Errorf("role %s: %q is no permission; expected %s",
					role, name, strings.Join(permissionNames(), ", ")))
			}
		}
	}
	*to = roles
	return errors.Join(faults...)
}
