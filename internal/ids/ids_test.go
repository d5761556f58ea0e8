package ids

import (
	"fmt"
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	for _, row := range []struct {
		id   string
		want bool
	}{
		{"", false}, {"1", true}, {"69629023906488334", true}, {"a/b", true}, {"..", true}, {" ", true}, {"zoë-😀", true},
		{strings.Repeat("x", 200), true}, {strings.Repeat("x", 201), false},
		{strings.Repeat("😀", 200), true}, {strings.Repeat("😀", 201), false},
		{"a\x00", false}, {"a\n", false}, {"\x7f", false}, {"\u0085", false}, {"\u00a0", true}, {"a\xff", false}, {"\ufffd", true},
	} {
		if got := Valid(row.id); got != row.want {
			t.Errorf("Valid(%s) = %v, want %v", fmt.Sprintf("%.20q", row.id), got, row.want)
		}
	}
}
