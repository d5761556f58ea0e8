package server

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// maxForwardedBytes bounds a line that is looked at. Such a line can be read from its beginning only.
const maxForwardedBytes = 4 << 10

// hop is what a proxy says of the connection on which a call came to it.
type hop struct {
	from   netip.Addr // the zero Addr where none is said, or it is not an address
	scheme string     // http or https, "" where neither is said
}

// forwardedHops reads a line of the header Forwarded (RFC 7239 section 4): the "for" and the "proto" of each element, the last
// one first. A line that is not of that grammar has one hop, without an address: an open quote of the client's could hide what a
// proxy wrote behind it.
func forwardedHops(line string) iter.Seq[hop] {
	unreadable := slices.Values([]hop{{}})
	if len(line) > maxForwardedBytes {
		return unreadable
	}
	var hops []hop
	for rest, more := line, true; more; {
		var h hop
		var ok bool
		if h, rest, more, ok = forwardedElement(rest); !ok {
			return unreadable
		}
		hops = append(hops, h)
	}
	slices.Reverse(hops)
	return slices.Values(hops)
}

// forwardedElement reads pairs up to a comma or the end. more tells that it was a comma.
func forwardedElement(text string) (h hop, rest string, more, ok bool) {
	seen := false
	for {
		text = strings.TrimLeft(text, " \t")
		name := text[:tokenLength(text)]
		if name != "" { // pairs may be missing, as in ";;"
			text = text[len(name):]
			value, after, valid := pairValue(text)
			isFor := strings.EqualFold(name, "for")
			if !valid || isFor && seen {
				return h, "", false, false
			}
			switch {
			case isFor:
				seen, h.from = true, forwardedNode(value)
			case strings.EqualFold(name, "proto"):
				h.scheme = webScheme(value)
			}
			text = after
		}
		text = strings.TrimLeft(text, " \t")
		switch {
		case text == "":
			return h, "", false, true
		case text[0] == ',':
			return h, text[1:], true, true
		case text[0] != ';':
			return h, "", false, false
		}
		text = text[1:]
	}
}

// webScheme returns http or https as URLs have it, and "" for any other text.
func webScheme(text string) string {
	if text = strings.ToLower(text); text == "http" || text == "https" {
		return text
	}
	return ""
}

// pairValue reads "=" and a token or quoted-string (RFC 9110 section 5.6).
func pairValue(text string) (value, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "=")
	if !ok {
		return "", "", false
	}
	if n := tokenLength(text); n > 0 {
		return text[:n], text[n:], true
	}
	text, ok = strings.CutPrefix(text, `"`)
	if !ok {
		return "", "", false
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			c = text[i]
			fallthrough
		default:
			if c < ' ' && c != '\t' || c == 0x7f {
				return "", "", false
			}
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// forwardedNode reads the node of a "for" (RFC 7239 section 6). Here an IPv6 address must stand in brackets; names such
// as "unknown" and "_hidden" are not addresses.
func forwardedNode(text string) netip.Addr {
	if !strings.HasPrefix(text, "[") && strings.Count(text, ":") > 1 {
		return netip.Addr{}
	}
	return nodeAddress(text)
}

// tokenLength returns how many characters at the beginning of text make a token (RFC 9110 section 5.6.2).
func tokenLength(text string) int {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return i
		}
	}
	return len(text)
}
