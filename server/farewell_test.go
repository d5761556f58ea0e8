package server

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A connection whose peer takes nothing is closed without waiting for TLS to say farewell, and cut off in the midst of that: who
// accepts connections does this, and nobody else's may wait for it.
func TestNobodyWaitsForAFarewell(t *testing.T) {
	certificate := selfSigned(t, "localhost")
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // has no buffer: nothing is written that nobody reads
		config := encryption(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil })
		config.SessionTicketsDisabled = true // else they would be written, too
		c := &gatheredConn{Conn: tls.Server(ours, config), raw: ours, listener: &gatherListener{}}
		c.written.L = &c.mu
		c.listener.open.Add(1)
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
		c.abort()
		c.listener.open.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		_ = theirs.Close()
	})
}

// Cipher suites that HTTP/2 forbids are not spoken, whatever the protocol inside.
func TestWeakCipherSuites(t *testing.T) {
	certificate := selfSigned(t, "localhost")
	config := encryption(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil })
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer ours.Close()
			_ = tls.Server(ours, config).HandshakeContext(t.Context())
		}()
		client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}, NextProtos: []string{"h2"}})
		err := client.HandshakeContext(t.Context())
		_ = theirs.Close()
		<-done
		if err == nil && !slices.Contains(cipherSuites(), suite.ID) {
			t.Errorf("%s was spoken", suite.Name)
		}
	}
}
