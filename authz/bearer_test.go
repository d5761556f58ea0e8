package authz

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestBearerToken(t *testing.T) {
	for _, row := range []struct {
		why    string
		values []string
		want   string
		err    error
	}{
		{"no header", nil, "", ErrNoToken},
		{"as everybody writes it", []string{"Bearer abc"}, "abc", nil},
		{"every character of the grammar", []string{"Bearer aZ09-._~+/=="}, "aZ09-._~+/==", nil},
		{"the scheme is case-insensitive", []string{"bEARER abc"}, "abc", nil},
		{"several spaces inside", []string{"Bearer    abc"}, "abc", nil},
		{"spaces and tabs around", []string{" \t Bearer abc\t "}, "abc", nil},
		{"as long as header fields may be", []string{"Bearer " + strings.Repeat("a", 1<<20)}, strings.Repeat("a", 1<<20), nil},
		{"empty header", []string{""}, "", ErrMalformedToken},
		{"blank header", []string{" \t"}, "", ErrMalformedToken},
		{"scheme alone", []string{"Bearer"}, "", ErrMalformedToken},
		{"scheme and a space", []string{"Bearer "}, "", ErrMalformedToken},
		{"no space", []string{"Bearerabc"}, "", ErrMalformedToken},
		{"tab inside", []string{"Bearer\tabc"}, "", ErrMalformedToken},
		{"tab after the space", []string{"Bearer \tabc"}, "", ErrMalformedToken},
		{"other scheme", []string{"Basic eDp5"}, "", ErrMalformedToken},
		{"token without scheme", []string{"abcdefghij"}, "", ErrMalformedToken},
		{"text before the scheme", []string{"xyzBearer abc"}, "", ErrMalformedToken},
		{"text after the token", []string{"Bearer abc def"}, "", ErrMalformedToken},
		{"folded by a proxy", []string{"Bearer abc, Bearer def"}, "", ErrMalformedToken},
		{"two headers", []string{"Bearer abc", "Bearer def"}, "", ErrMalformedToken},
		{"the same header twice", []string{"Bearer abc", "Bearer abc"}, "", ErrMalformedToken},
		{"a header and an empty one", []string{"Bearer abc", ""}, "", ErrMalformedToken},
		{"only padding", []string{"Bearer =="}, "", ErrMalformedToken},
		{"padding in the middle", []string{"Bearer a=b"}, "", ErrMalformedToken},
		{"non-ASCII", []string{"Bearer äbc"}, "", ErrMalformedToken},
		{"a letter that folds to ASCII", []string{"Bearer a\u212a"}, "", ErrMalformedToken},
		{"NUL", []string{"Bearer a\x00"}, "", ErrMalformedToken},
		{"non-breaking space around", []string{"\u00a0Bearer abc"}, "", ErrMalformedToken},
	} {
		header := http.Header{}
		for _, value := range row.values {
			header.Add("Authorization", value)
		}
		got, err := bearerToken(header)
		if got != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: bearerToken(%.60q) = %.60q, %v, want %.60q, %v", row.why, row.values, got, err, row.want, row.err)
		}
	}
}

func FuzzBearerToken(f *testing.F) {
	for _, seed := range []string{"", "Bearer abc", " bearer  a.b.c==\t", "Bearer a, Bearer b", "Bearer a=b", "Basic x", "Bearer\tx"} {
		f.Add(seed)
	}
	grammar := regexp.MustCompile(`\A[ \t]*(?:[Bb][Ee][Aa][Rr][Ee][Rr]) +([A-Za-z0-9._~+/-]+=*)[ \t]*\z`)
	f.Fuzz(func(t *testing.T, value string) {
		got, err := bearerToken(http.Header{"Authorization": {value}})
		match := grammar.FindStringSubmatch(value)
		switch {
		case match == nil && !errors.Is(err, ErrMalformedToken):
			t.Errorf("bearerToken(%q) = %q, %v, want ErrMalformedToken", value, got, err)
		case match != nil && (err != nil || got != match[1]):
			t.Errorf("bearerToken(%q) = %q, %v, want %q", value, got, err, match[1])
		}
	})
}
