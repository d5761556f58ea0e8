// Package tlsfile reads a TLS certificate from files, and again when they change, so that a renewed one needs no
// restart: Open reads, Get is tls.Config.GetCertificate and the third argument of the server's ServeTLS. A fault in a changed file
// is logged, and the certificate before it stays in use. The package asks no authority for certificates.
package tlsfile

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxBytes bounds each file of a certificate. Chains are a few kilobytes.
	maxBytes = 1 << 20
	// interval is the least time between two looks at the files.
	interval = time.Second
)

// Config names the files of a certificate, and what is called when they change.
type Config struct {
	ChainFile, KeyFile string           // in PEM; the chain begins with the server's own certificate
	Logger             *slog.Logger     // nil = log nothing
	Now                func() time.Time // nil = time.Now
	Renewed            func()           // called after new content is in use, nil = nothing
}

// Certificate is a chain and its key from two files, for TLS; they are read again when their content changes. A
// handshake that comes a second or more after the last look looks again, so nothing runs while nobody connects. It
// compares content, not times: a file may be replaced twice within the resolution of its time stamp.
type Certificate struct {
	cfg     Config
	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex // held while one goroutine looks; the others use the certificate that is there
	looked time.Time
	tried  [sha256.Size]byte // content that was tried last, good or not
	failed string            // why that failed, as logged
	warned time.Time         // when it was last said that the certificate expires
}

const (
	// expiryNear is how long before its end the log tells of a certificate, or a sixth of its life if that is less: those of a few
	// days are renewed late.
	expiryNear = 14 * 24 * time.Hour
	// expiryInterval is the least time between two such lines.
	expiryInterval = 24 * time.Hour
)

// Expiry returns when the certificate, or the first one above it in its chain, is no longer valid.
func (c *Certificate) Expiry() time.Time { return expiryOf(c.current.Load()) }

func expiryOf(pair *tls.Certificate) time.Time {
	end := pair.Leaf.NotAfter
	for _, der := range pair.Certificate[1:] {
		if above, err := x509.ParseCertificate(der); err == nil && above.NotAfter.Before(end) {
			end = above.NotAfter
		}
	}
	return end
}

// warnOfExpiry tells the log, once a day, that the certificate is about to expire or has. The caller holds mu.
func (c *Certificate) warnOfExpiry() {
	pair, now := c.current.Load(), c.cfg.Now()
	end := expiryOf(pair)
	near := min(expiryNear, pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)/6)
	if end.Sub(now) > near || !c.warned.IsZero() && now.Sub(c.warned) < expiryInterval {
		return
	}
	c.warned = now
	if end.After(now) {
		c.cfg.Logger.Warn("the certificate expires soon", "file", c.cfg.ChainFile, "until", end.UTC())
	} else {
		c.cfg.Logger.Error("the certificate has expired", "file", c.cfg.ChainFile, "until", end.UTC())
	}
}

// Open reads the files for the first time. An error says what is wrong with them, and holds nothing of their content.
func Open(cfg Config) (*Certificate, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Renewed == nil {
		cfg.Renewed = func() {}
	}
	c := &Certificate{cfg: cfg}
	pair, content, err := readKeyPair(cfg.ChainFile, cfg.KeyFile, c.tried)
	if err != nil {
		return nil, err
	}
	c.looked, c.tried = cfg.Now(), content
	c.current.Store(pair)
	c.warnOfExpiry()
	return c, nil
}

// Get has the form of tls.Config.GetCertificate. It never fails: the last good certificate serves on.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		// A clock that was set back must not stop the looking.
		if since := c.cfg.Now().Sub(c.looked); since < 0 || since >= interval {
			c.look()
		}
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

// Reload reads the files in any case and logs the outcome.
func (c *Certificate) Reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried, c.failed = [sha256.Size]byte{}, "" // so that the outcome is logged again
	c.look()
}

// look reads the files and takes them over if they are new and good. A fault in them is logged once. The caller holds mu.
func (c *Certificate) look() {
	c.looked = c.cfg.Now()
	defer c.warnOfExpiry()
	pair, content, err := readKeyPair(c.cfg.ChainFile, c.cfg.KeyFile, c.tried)
	unchanged := content == c.tried
	c.tried = content
	switch {
	case err != nil:
		if err.Error() != c.failed || !unchanged {
			c.cfg.Logger.Error("the new certificate is of no use; the one before serves on", "error", err)
		}
		c.failed = err.Error()
	case pair != nil:
		c.failed, c.warned = "", time.Time{}
		c.current.Store(pair)
		c.cfg.Renewed()
		c.cfg.Logger.Info("certificate read", "subject", pair.Leaf.Subject.String(), "until", pair.Leaf.NotAfter.UTC())
	}
}

// readKeyPair reads a chain and its key. content is a hash of both files, the zero value when they cannot be read;
// when it is known already, pair and error are nil. Errors hold names of files and nothing of their content.
func readKeyPair(chainFile, keyFile string, known [sha256.Size]byte) (pair *tls.Certificate, content [sha256.Size]byte, err error) {
	chain, err := readPEM(chainFile)
	if err != nil {
		return nil, content, err
	}
	key, err := readPEM(keyFile)
	if err != nil {
		return nil, content, err
	}
	both := sha256.New()
	fmt.Fprintf(both, "%d ", len(chain))
	both.Write(chain)
	both.Write(key)
	both.Sum(content[:0])
	if content == known {
		return nil, content, nil
	}
	read, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, content, fmt.Errorf("%s and %s: %w", chainFile, keyFile, err)
	}
	return &read, content, nil
}

// readPEM reads a file up to its limit.
func readPEM(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("%s is over %d bytes", file, maxBytes)
	}
	return data, err
}
