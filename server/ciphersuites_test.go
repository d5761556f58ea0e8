package server

import (
	"crypto/tls"
	"net"
	"slices"
	"testing"
)

// The server offers no cipher suite that HTTP/2 forbids, whatever the protocol inside.
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
