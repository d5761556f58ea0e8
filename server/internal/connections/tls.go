package connections

import (
	"crypto/tls"
	"errors"
	"io"
)

// answerPlain answers a peer that does not speak TLS where TLS is spoken, as net/http does. net/http reads again after an error, so the peer
// is answered once. TLS is below net/http: so Conn sees everything that is read and written, encrypted or not, and recognises HTTP/2 by
// its preface.
func (c *Conn) answerPlain(err error) error {
	header, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || header.Conn == nil {
		return err
	}
	if c.plainTold {
		return io.EOF
	}
	c.plainTold = true
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		_, _ = io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
	return io.EOF
}
