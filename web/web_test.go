package web

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every language has the same texts, with the same places for values, and the page has a text for whatever it asks for.
func TestTextsAreWhole(t *testing.T) {
	read := func(name string) map[string]string {
		text, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(text, &texts); err != nil {
			t.Fatal(name, err)
		}
		return texts
	}
	english, german := read("texts.en.json"), read("texts.de.json")
	value := regexp.MustCompile(`\{\w+\}`)
	for name, text := range english {
		if other, there := german[name]; !there || !slices.Equal(value.FindAllString(text, -1), value.FindAllString(other, -1)) {
			t.Errorf("%s: %q in English, %q in German", name, text, other)
		}
	}
	if len(german) != len(english) {
		t.Errorf("%d texts in German, %d in English", len(german), len(english))
	}
	asked := regexp.MustCompile(`\btext\("(\w+)"|SignInError\("(\w+)"|\.T\.(\w+)`)
	used := map[string]bool{}
	for _, name := range []string{"call.js", "list.js", "person.html", "person.js", "picture.js", "receipts.js", "signin.js", "users.js", "work.js"} {
		code, err := Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(code), -1) {
			used[strings.Join(m[1:], "")] = true
		}
	}
	for name := range used {
		if english[name] == "" {
			t.Errorf("there is no text %q", name)
		}
	}
	for name := range english {
		if !used[name] {
			t.Errorf("nothing shows the text %q", name)
		}
	}
}
