package config

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"example.org/avatard/authz"
)

// secretInterval is how often files with secrets are looked at.
const secretInterval = time.Second

// ClientSecret keeps the credentials of an introspector up to date with a file that may change. It compares content, not times. After
// a file that cannot be read or does not hold a secret the old credentials stay in use, and the log says so.
type ClientSecret struct {
	cfg      Config
	provider *authz.Introspector
	logger   *slog.Logger

	known  [sha256.Size]byte // content that was read last, good or not
	failed string            // why that was of no use, as logged
}

// NewClientSecret returns nil where no file holds the secret.
func NewClientSecret(cfg Config, in *authz.Introspector, logger *slog.Logger) *ClientSecret {
	if cfg.ClientSecretFile == "" && cfg.ClientKeyFile == "" {
		return nil
	}
	c := &ClientSecret{cfg: cfg, provider: in, logger: logger}
	if data, err := ReadBounded(c.file(), maxSecretBytes); err == nil {
		c.known = sha256.Sum256(data)
	}
	return c
}

// file is the name of whichever file holds it; the other one is empty.
func (c *ClientSecret) file() string { return c.cfg.ClientSecretFile + c.cfg.ClientKeyFile }

// look reads the file and takes over what is new in it.
func (c *ClientSecret) look() {
	data, err := ReadBounded(c.file(), maxSecretBytes)
	content := sha256.Sum256(data)
	if err == nil && content == c.known {
		return
	}
	c.known = content
	if err == nil {
		err = c.use()
	}
	if err == nil {
		c.failed = ""
		c.logger.Info("client secret read", "file", c.file())
		c.cfg.WarnIfOpen(c.file(), c.logger)
		return
	}
	if err.Error() != c.failed {
		c.logger.Error("the new client secret is of no use; the one before stays in use", "file", c.file(), "error", err)
	}
	c.failed = err.Error()
}

// use reads the file as a start does.
func (c *ClientSecret) use() error {
	fresh := c.cfg
	r := reader{cfg: &fresh, given: map[string]bool{}}
	if fresh.ClientSecretFile != "" {
		fresh.ClientSecret = r.readSecret("client_secret_file", fresh.ClientSecretFile)
	} else {
		r.readClientKey(fresh.ClientKeyFile)
	}
	if len(r.faults) > 0 {
		return &Error{r.faults}
	}
	return c.provider.UseCredentials(fresh.ClientSecret, fresh.ClientKey)
}

// Watch looks at the file every second, and when reload is called, until stop is. A reload says how it went in any case.
func (c *ClientSecret) Watch() (reload, stop func()) {
	return watchFiles(func(asked bool) {
		if asked {
			c.known, c.failed = [sha256.Size]byte{}, ""
		}
		c.look()
	})
}

// watchFiles calls look every second, and when reload is called, with true, until stop is. It is never called twice at once.
func watchFiles(look func(asked bool)) (reload, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	asked, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(secretInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				look(false)
			case <-asked:
				look(true)
			case <-ctx.Done():
				return
			}
		}
	}()
	reload = func() {
		select {
		case asked <- struct{}{}:
		case <-ctx.Done():
		}
	}
	return reload, func() { cancel(); <-ended }
}
