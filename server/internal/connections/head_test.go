package connections

import (
	"strings"
	"testing"
)

// The lines of a request are counted up to its body, in whatever pieces they come.
func TestHead(t *testing.T) {
	const most = 256
	lines := func(n int) string { return strings.Repeat("a: b\r\n", n) }
	for _, row := range []struct {
		title, sent  string
		taken, ended bool
	}{
		{"as many lines as there may be", "GET / HTTP/1.1\r\n" + lines(most-1), true, false},
		{"one more", "GET / HTTP/1.1\r\n" + lines(most), false, false},
		{"one more, without CR", strings.Repeat("a:\n", most+1), false, false},
		{"a body of lines", "POST / HTTP/1.1\r\n\r\n" + strings.Repeat("\n", 10_000), true, true},
		{"an empty line before the request", "\r\nGET / HTTP/1.1\r\n" + lines(3), true, false},
		{"empty lines before the request, and too many after", "\r\n\r\nGET / HTTP/1.1\r\n" + lines(most), false, false},
		{"all of it", "GET / HTTP/1.1\r\n" + lines(3) + "\r\n", true, true},
		{"without CR", "GET / HTTP/1.1\na: b\n\n", true, true},
	} {
		for _, piece := range []int{1, 7, 1 << 20} {
			h := head{max: most}
			taken := true
			for rest := row.sent; rest != ""; rest = rest[min(piece, len(rest)):] {
				taken = h.read([]byte(rest[:min(piece, len(rest))])) && taken
			}
			if taken != row.taken || taken && h.ended != row.ended {
				t.Errorf("%s, in pieces of %d: taken %v, ended %v, want %v, %v", row.title, piece, taken, h.ended, row.taken, row.ended)
			}
		}
	}
}
