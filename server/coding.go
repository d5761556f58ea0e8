package server

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
)

// gunzipUpload makes the body of an upload what it was before its content coding (RFC 9110 section 8.4). The compressed bytes are bounded
// by limit; the reader of the form bounds what they unpack to. done overwrites what is left of the picture.
func gunzipUpload(w http.ResponseWriter, r *http.Request, limit int) (done func(), err error) {
	joinLines(r.Header, "Content-Encoding")
	switch tidyCoding(r.Header.Get("Content-Encoding")) {
	case "", "identity":
		return func() {}, nil
	case "gzip":
		b := &gzipBody{ReadCloser: http.MaxBytesReader(innermost(w), r.Body, int64(limit))}
		r.Body, r.ContentLength = b, -1 // the length is not known
		return b.overwrite, nil
	}
	w.Header().Set("Accept-Encoding", "gzip, identity") // RFC 9110 section 15.5.16
	return nil, &apiError{reason: unknownCoding}
}

// gzipBody unpacks a body while it is read.
type gzipBody struct {
	io.ReadCloser
	unpacked gzip.Reader
	begun    bool
}

func (b *gzipBody) Read(p []byte) (int, error) {
	if !b.begun {
		if err := b.unpacked.Reset(b.ReadCloser); err != nil {
			return 0, err
		}
		b.begun = true
	}
	return b.unpacked.Read(p)
}

// gzipWindow is how much of what was unpacked last a gzip.Reader keeps (RFC 1951 section 2), in bytes.
const gzipWindow = 32 << 10

// overwrite unpacks as many zeros as the reader keeps of the picture.
func (b *gzipBody) overwrite() {
	if !b.begun {
		return
	}
	var zeros bytes.Buffer
	w := gzip.NewWriter(&zeros)
	_, _ = w.Write(make([]byte, 2*gzipWindow))
	_ = w.Close()
	if b.unpacked.Reset(&zeros) == nil {
		_, _ = io.CopyN(io.Discard, &b.unpacked, 2*gzipWindow)
	}
}
