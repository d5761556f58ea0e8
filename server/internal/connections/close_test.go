package connections

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// Close does not wait for the close_notify of TLS to a peer that takes nothing, and Abort ends it: both are called where connections are
// accepted, which must not be delayed.
func TestNobodyWaitsForAFarewell(t *testing.T) {
	server := httptest.NewTLSServer(nil) // has a certificate
	server.Close()
	certificates := server.TLS.Certificates
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // has no buffer: nothing is written that nobody reads
		// Session tickets would be written, too.
		l := NewGroup(Limits{}).Listen(nil, &tls.Config{Certificates: certificates, SessionTicketsDisabled: true})
		c := l.newConn(ours)
		client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
		shaken := make(chan error, 1)
		go func() { shaken <- client.HandshakeContext(context.Background()) }()
		if err := c.Conn.(*tls.Conn).HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-shaken; err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the farewell is being written
		c.Abort()
		l.Finish()
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		_ = theirs.Close()
	})
}
