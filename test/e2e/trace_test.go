package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// findTrace reports whether a text holds a piece of some data, and in what form: as it is, quoted as Go does, as
// numbers, in hex or in base64. A piece of 32 bytes is always found, one of 16 often.
func findTrace(text string, data []byte) (form string, found bool) {
	const window = 16
	if len(data) < window {
		panic("findTrace: too short to be told from chance")
	}
	has := func(name, piece string) bool {
		if found = strings.Contains(text, piece); found {
			form = name
		}
		return found
	}
	for at := 0; at+window <= len(data); at += window / 2 {
		piece := data[at : at+window]
		quoted := strconv.Quote(string(piece))
		numbers := fmt.Sprint(piece)
		if has("as it is", string(piece)) || has("quoted", quoted[1:len(quoted)-1]) ||
			has("as numbers", numbers[1:len(numbers)-1]) ||
			has("in hex", hex.EncodeToString(piece)) || has("in upper-case hex", strings.ToUpper(hex.EncodeToString(piece))) {
			return form, true
		}
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range min(3, len(data)-window+1) { // base64 looks different from each of three starts
			encoded := encoding.EncodeToString(data[shift:])
			for at := 0; at+window <= len(encoded); at += window / 2 {
				if has("in base64", encoded[at:at+window]) {
					return form, true
				}
			}
		}
	}
	return "", false
}

func TestFindTrace(t *testing.T) {
	var data []byte
	for i := range 300 {
		data = append(data, byte(i*i+i/7))
	}
	piece := data[101:133]
	for want, text := range map[string]string{
		"as it is": "x" + string(piece) + "x", "quoted": fmt.Sprintf("%q", string(piece)), "as numbers": fmt.Sprint(piece),
		"in hex": fmt.Sprintf("%x", piece), "in upper-case hex": fmt.Sprintf("%X", piece),
	} {
		if form, found := findTrace(text, data); !found || form != want {
			t.Errorf("findTrace in %q = %q, %v, want %q", text, form, found, want)
		}
	}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			if form, found := findTrace("x"+encoding.EncodeToString(data[101+shift:133+shift])+"x", data); !found || form != "in base64" {
				t.Errorf("findTrace in base64 = %q, %v", form, found)
			}
		}
	}
	if form, found := findTrace(fmt.Sprintf("%q %x", "nothing of it in here", "nothing of it in here"), data); found {
		t.Errorf("findTrace in a strange text = %q, want nothing", form)
	}
}
