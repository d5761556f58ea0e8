// Package certtest makes certificates for tests, by an authority of each test's own.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority of a test's own.
type Authority struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	root   *x509.Certificate
	issued int64
}

// New returns an authority with a key of its own.
func New(t *testing.T) *Authority {
	t.Helper()
	a := &Authority{t: t, key: newKey(t)}
	a.root = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}, nil, a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate for a key. Without a parent it is signed with itself.
func (a *Authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	a.issued++
	template.SerialNumber = big.NewInt(a.issued)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed
}

// Issue makes a pair for localhost and 127.0.0.1, in PEM. Each has a serial number of its own.
func (a *Authority) Issue() (chain, key []byte, serial int64) {
	a.t.Helper()
	private := newKey(a.t)
	leaf := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "avatars.example"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, a.root, private)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), a.issued
}

// Root returns the authority's own certificate, in PEM.
func (a *Authority) Root() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Trust is how a client trusts the authority.
func (a *Authority) Trust() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	return &tls.Config{RootCAs: roots}
}

// Files is a pair in two files, which may change.
type Files struct {
	*Authority
	Chain, Key string // names
}

// NewFiles returns files that hold a good pair, and its serial number.
func NewFiles(t *testing.T) (*Files, int64) {
	t.Helper()
	dir := t.TempDir()
	p := &Files{Authority: New(t), Chain: filepath.Join(dir, "chain.pem"), Key: filepath.Join(dir, "key.pem")}
	return p, p.Renew()
}

// Renew puts a new pair into the files.
func (p *Files) Renew() int64 {
	p.t.Helper()
	chain, key, serial := p.Issue()
	p.Write(p.Chain, chain)
	p.Write(p.Key, key)
	return serial
}

func (p *Files) Write(name string, data []byte) {
	p.t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
