package main

import (
	"fmt"
	"testing"

	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

func testTag(n int) string { return fmt.Sprintf(`"%032x-full-png"`, n) }

// What an answer to a read shows, and what is wrong with it whatever the user has.
func TestIdentify(t *testing.T) {
	pictures, err := testbed.NewPictureSet(t.Context(), 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{tags: make(map[string]int)}
	u.start(none)
	whole := func(picture, tag int) client.Read {
		return client.Read{Status: 200, Data: pictures.All[picture].Stored, ETag: testTag(tag)}
	}
	cut := whole(1, 11)
	cut.Data = cut.Data[:len(cut.Data)-1]
	for _, step := range []struct {
		about   string
		read    client.Read
		asked   string
		picture int
		kind    string
	}{
		{"none", client.Read{Status: 404}, "", none, ""},
		{"a picture", whole(0, 10), "", 0, ""},
		{"its tag", client.Read{Status: 304}, testTag(10), 0, ""},
		{"a picture that is cut", cut, "", none, damaged},
		{"another with its tag", whole(2, 10), "", 2, answer},
		{"a tag nobody has", client.Read{Status: 304}, testTag(12), none, undone},
		{"a status that tells nothing", client.Read{Status: 403}, "", none, answer},
	} {
		picture, kind, _ := u.identify(step.read, step.asked, pictures)
		if picture != step.picture || kind != step.kind {
			t.Errorf("%s: picture %d, %q; want %d, %q", step.about, picture, kind, step.picture, step.kind)
		}
	}
	u.start(none) // picture 0 is gone
	if _, kind, _ := u.identify(client.Read{Status: 304}, testTag(10), pictures); kind != undone {
		t.Errorf("the tag of a picture that is gone: %q", kind)
	}
	if _, kind, _ := u.identify(whole(0, 10), "", pictures); kind != answer {
		t.Errorf("the same picture under the same tag: %q", kind)
	}
	if tag := u.tag(true); tag != testTag(10) {
		t.Errorf("the old tag is %q", tag)
	}
}
