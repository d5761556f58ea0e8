package storage

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFitText(t *testing.T) {
	for _, row := range []struct{ title, text, want string }{
		{"nothing", "", ""},
		{"an id", "zoë-😀", "zoë-😀"},
		{"control characters stay", "a\x00\n", "a\x00\n"},
		{"bytes that are not UTF-8", "a\xffb\xed\xa0\x80c", "a\ufffdb\ufffdc"},
		{"the longest", strings.Repeat("😀", 200), strings.Repeat("😀", 200)},
		{"one byte more", strings.Repeat("x", MaxIDBytes+1), strings.Repeat("x", MaxIDBytes)},
		{"a code point across the end", "x" + strings.Repeat("😀", 200), "x" + strings.Repeat("😀", 199)},
		{"nothing but continuation bytes", strings.Repeat("\x80", 60_000), "\ufffd"},
		{"replacements longer than what they replace", strings.Repeat("\xffa", 500), strings.Repeat("\ufffda", 200)},
	} {
		if got := FitText(row.text); got != row.want {
			t.Errorf("%s: %d bytes %.60q, want %d bytes %.60q", row.title, len(got), got, len(row.want), row.want)
		}
	}
}

func FuzzFitText(f *testing.F) {
	f.Add("\xff" + strings.Repeat("ü", 500))
	f.Fuzz(func(t *testing.T, text string) {
		got := FitText(text)
		if !utf8.ValidString(got) || len(got) > MaxIDBytes || FitText(got) != got {
			t.Errorf("FitText(%q) = %q", text, got)
		}
		if utf8.ValidString(text) && !strings.HasPrefix(text, got) || utf8.ValidString(text) && len(text) <= MaxIDBytes && got != text {
			t.Errorf("FitText(%q) = %q", text, got)
		}
	})
}

func TestRefusalFit(t *testing.T) {
	bad, long := "\xff", strings.Repeat("x", 64<<10)
	got := Refusal{By: Origin{Caller: bad, CallerOrganization: long, RequestID: bad}, Organization: bad, Target: long, Action: bad, Reason: bad, Dropped: -1}.Fit()
	good, short := "\ufffd", strings.Repeat("x", MaxIDBytes)
	want := Refusal{By: Origin{Caller: good, CallerOrganization: short, RequestID: good}, Organization: good, Target: short, Action: good, Reason: good}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Fit (-want +got):\n%s", diff)
	}
}
