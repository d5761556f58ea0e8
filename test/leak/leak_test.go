package leak

import (
	"encoding/base64"
	"fmt"
	"testing"
)

func TestFind(t *testing.T) {
	var data []byte
	for i := range 300 {
		data = append(data, byte(i*i+i/7))
	}
	piece := data[101:133]
	for want, text := range map[string]string{
		"as it is": "x" + string(piece) + "x", "quoted": fmt.Sprintf("%q", string(piece)), "as numbers": fmt.Sprint(piece),
		"in hex": fmt.Sprintf("%x", piece), "in upper-case hex": fmt.Sprintf("%X", piece),
	} {
		if form, found := Find(text, data); !found || form != want {
			t.Errorf("Find in %q = %q, %v, want %q", text, form, found, want)
		}
	}
	for shift := range 3 {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			if form, found := Find("x"+encoding.EncodeToString(data[101+shift:133+shift])+"x", data); !found || form != "in base64" {
				t.Errorf("Find in base64 = %q, %v", form, found)
			}
		}
	}
	if form, found := Find(fmt.Sprintf("%q %x", "nothing of it in here", "nothing of it in here"), data); found {
		t.Errorf("Find in a strange text = %q, want nothing", form)
	}
}
