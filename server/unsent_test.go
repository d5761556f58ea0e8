package server

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.org/avatard/storage"
)

// A picture that was read and is not sent, for whatever reason, is overwritten.
func TestPictureThatIsNotSentIsOverwritten(t *testing.T) {
	for about, row := range map[string]struct {
		picture storage.Picture
		asked   pictureRead
		sent    *outgoingPicture
	}{
		"its memory was taken away": {storage.Picture{Generation: "g", Format: storage.PNG}, pictureRead{}, &outgoingPicture{cut: true}},
		"it has no generation":      {storage.Picture{Format: storage.PNG}, pictureRead{}, &outgoingPicture{}},
		"another one is asked for":  {storage.Picture{Generation: "g", Format: storage.PNG}, pictureRead{pictureQuery: pictureQuery{generation: "h"}}, &outgoingPicture{}},
	} {
		row.picture.Data = []byte("pixels")
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if err := sendPicture(httptest.NewRecorder(), r, row.picture, row.asked, row.sent); err == nil {
			t.Errorf("%s: it was sent", about)
		}
		if !bytes.Equal(row.picture.Data, make([]byte, len("pixels"))) {
			t.Errorf("%s: %q is left", about, row.picture.Data)
		}
	}
}
