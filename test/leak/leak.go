// Package leak finds what must stay secret in texts that leave a program: answers and logs.
package leak

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Find reports whether a text holds a piece of some data, and in what form: as it is, quoted as Go does, as
// numbers, in hex or in base64. A piece of 32 bytes is always found, one of 16 often.
func Find(text string, data []byte) (form string, found bool) {
	const window = 16
	if len(data) < window {
		panic("leak.Find: too short to be told from chance")
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
