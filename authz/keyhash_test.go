package authz

import (
	"strings"
	"testing"
)

// Keys tell apart what answers depend on, wherever one part ends and the next begins, and no two processes have the same.
func TestKeyHash(t *testing.T) {
	h, err := newKeyHash()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[cacheKey]string{}
	for _, parts := range [][]string{
		{"a"}, {"b"}, {"ab"}, {"a", "b"}, {"", "ab"}, {"ab", ""}, {"a\x00b"}, {strings.Repeat("x", 8000)}, {strings.Repeat("x", 7999) + "y"},
	} {
		for _, prefix := range []string{"", "p"} {
			key, name := h.of([]byte(prefix), parts...), prefix+"|"+strings.Join(parts, "|")
			if other, ok := texts[key]; ok {
				t.Errorf("%.20q and %.20q have the same key", other, name)
			}
			texts[key] = name
			if again := h.of([]byte(prefix), parts...); again != key {
				t.Errorf("%.20q: %x, then %x", name, key, again)
			}
		}
	}
	other, err := newKeyHash()
	if err != nil {
		t.Fatal(err)
	}
	if h.of(nil, "a") == other.of(nil, "a") {
		t.Error("two processes have the same key for a text")
	}
}

// Every call is looked up by its token, so a key costs no memory. (Under the race detector pools forget on purpose.)
func TestKeyHashAllocations(t *testing.T) {
	h, err := newKeyHash()
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { h.of([]byte("prefix"), "token") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
