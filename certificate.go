package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPEMBytes bounds each file of a certificate. Chains are a few kilobytes.
	maxPEMBytes = 1 << 20
	// certificateInterval is the least time between two looks at the files.
	certificateInterval = time.Second
)

// certificate is what TLS shows to clients: a chain and its key from two files, read again when their content changes. A
// handshake that comes a second or more after the last look looks again, so nothing runs while nobody connects. It
// compares content, not times: a file may be replaced twice within the resolution of its time stamp.
type certificate struct {
	chainFile, keyFile string
	logger             *slog.Logger
	now                func() time.Time
	current            atomic.Pointer[tls.Certificate]

	mu     sync.Mutex // held by whoever looks; the others go on with what there is
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

// expiry returns when the certificate, or the first one above it in its chain, is no longer valid.
func (c *certificate) expiry() time.Time { return expiryOf(c.current.Load()) }

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
func (c *certificate) warnOfExpiry() {
	pair, now := c.current.Load(), c.now()
	end := expiryOf(pair)
	near := min(expiryNear, pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)/6)
	if end.Sub(now) > near || !c.warned.IsZero() && now.Sub(c.warned) < expiryInterval {
		return
	}
	c.warned = now
	if end.After(now) {
		c.logger.Warn("the certificate expires soon", "file", c.chainFile, "until", end.UTC())
	} else {
		c.logger.Error("the certificate has expired", "file", c.chainFile, "until", end.UTC())
	}
}

// checkCertificate looks for faults of the two files. Commands that show no certificate do not open them.
func (r *configReader) checkCertificate(required []string) {
	c := r.cfg
	switch chain, key := r.given["tls.cert_file"], r.given["tls.key_file"]; {
	case chain && !key:
		r.fault("tls.key_file", "is not set beside tls.cert_file; expected both or neither")
	case key && !chain:
		r.fault("tls.cert_file", "is not set beside tls.key_file; expected both or neither")
	case c.TLSCertFile != "" && c.TLSKeyFile != "" && slices.Contains(required, "client_secret"):
		if _, err := openCertificate(c.TLSCertFile, c.TLSKeyFile, nil, nil); err != nil {
			r.fault("tls.cert_file", "%v; expected a certificate chain and, in tls.key_file, its key, both in PEM", err)
		}
	}
}

// openCertificate reads the files for the first time. now is its clock, nil = time.Now.
func openCertificate(chainFile, keyFile string, logger *slog.Logger, now func() time.Time) (*certificate, error) {
	if now == nil {
		now = time.Now
	}
	c := &certificate{chainFile: chainFile, keyFile: keyFile, logger: logger, now: now}
	pair, content, err := readKeyPair(chainFile, keyFile, c.tried)
	if err != nil {
		return nil, err
	}
	c.looked, c.tried = now(), content
	c.current.Store(pair)
	if logger != nil {
		c.warnOfExpiry()
	}
	return c, nil
}

// get has the form of tls.Config.GetCertificate. It never fails: the last good certificate serves on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() {
		// A clock that was set back must not stop the looking.
		if since := c.now().Sub(c.looked); since < 0 || since >= certificateInterval {
			c.look()
		}
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

// reload reads the files in any case and logs the outcome.
func (c *certificate) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried, c.failed = [sha256.Size]byte{}, "" // whoever asks for it gets to know how it went
	c.look()
}

// look reads the files and takes them over if they are new and good. What is wrong with them is logged once. The caller
// holds mu.
func (c *certificate) look() {
	c.looked = c.now()
	defer c.warnOfExpiry()
	pair, content, err := readKeyPair(c.chainFile, c.keyFile, c.tried)
	unchanged := content == c.tried
	c.tried = content
	switch {
	case err != nil:
		if err.Error() != c.failed || !unchanged {
			c.logger.Error("the new certificate is of no use; the one before serves on", "error", err)
		}
		c.failed = err.Error()
	case pair != nil:
		c.failed, c.warned = "", time.Time{}
		c.current.Store(pair)
		secretFile{"tls.key_file", c.keyFile}.warnIfOpen(c.logger)
		c.logger.Info("certificate read", "subject", pair.Leaf.Subject.String(), "until", pair.Leaf.NotAfter.UTC())
	}
}

// readKeyPair reads a chain and its key. content stands for what the files hold, the zero value when they cannot be read;
// when it is known already, pair and error are nil. Errors hold names of files and nothing of what is in them.
func readKeyPair(chainFile, keyFile string, known [sha256.Size]byte) (pair *tls.Certificate, content [sha256.Size]byte, err error) {
	chain, err := readBounded(chainFile, maxPEMBytes)
	if err != nil {
		return nil, content, err
	}
	key, err := readBounded(keyFile, maxPEMBytes)
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
