package connections

import (
	"crypto/tls"
	"errors"
	"io"
)

// answerPlain tells a peer that began in clear where TLS is spoken, as net/http does. net/http reads again after an error, so the peer is told
// once. The connection speaks TLS below net/http: what is read and written inside is seen by Conn, in clear and encrypted alike, and HTTP/2 is
// recognised by its preface.
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
