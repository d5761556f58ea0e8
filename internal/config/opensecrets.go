package config

import (
	"fmt"
	"log/slog"
	"net"
	"os"

	"example.org/avatard/internal/secretfile"
)

// secretFile is a file that holds a secret or a key.
type secretFile struct {
	setting string // whose file it is
	path    string
}

// secretFiles returns those that a configuration names, and its own file where a secret stands in it.
func (c Config) secretFiles() []secretFile {
	var files []secretFile
	named := []secretFile{
		{"client_secret_file", c.ClientSecretFile}, {"client_key_file", c.ClientKeyFile}, {"tls.key_file", c.TLSKeyFile},
		{"database_file", c.DatabaseFile}, {"bucket.secret_key_file", c.Bucket.SecretKeyFile}, {"bucket.key_file", c.Bucket.KeyFile},
	}
	for _, setting := range c.SecretsInFile {
		named = append(named, secretFile{setting, c.File})
	}
	for _, f := range named {
		if f.path != "" {
			files = append(files, f)
		}
	}
	return files
}

// WarnOfCleartext logs a warning when tokens pass a network in cleartext. A proxy in front that terminates TLS shows in the setting
// trusted_proxies.
func WarnOfCleartext(cfg Config, logger *slog.Logger) {
	host, _, _ := net.SplitHostPort(cfg.Listen) // it was read
	if cfg.TLSCertFile == "" && len(cfg.TrustedProxies) == 0 && !isLoopbackHost(host) {
		logger.Warn("tokens and pictures pass the network in cleartext; set tls.cert_file, or trusted_proxies if a proxy in front speaks TLS", "listen", cfg.Listen)
	}
}

// WarnOfOpenSecrets tells the log which files with secrets others than their owner may read or change.
func (c Config) WarnOfOpenSecrets(logger *slog.Logger) {
	for _, f := range c.secretFiles() {
		f.warnIfOpen(logger)
	}
}

// WarnIfOpen does the same as WarnOfOpenSecrets for one of those files, which was read again.
func (c Config) WarnIfOpen(path string, logger *slog.Logger) {
	for _, f := range c.secretFiles() {
		if f.path == path {
			f.warnIfOpen(logger)
		}
	}
}

// warnIfOpen logs a warning when others than its owner may read or change a file that holds a secret. It is not a fault, because
// containers and groups may be set up that way on purpose.
func (f secretFile) warnIfOpen(logger *slog.Logger) {
	info, err := os.Stat(f.path) // of what a link leads to
	if err != nil || !secretfile.IsOpen(info) {
		return // one that cannot be read is somebody else's to report
	}
	logger.Warn("a file that holds a secret is open to other users of this machine; expected mode 0600", "setting", f.setting,
		"file", f.path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
}
