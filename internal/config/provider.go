package config

import (
	"errors"
	"fmt"
	"strings"

	"example.org/avatard/authz"
	"example.org/avatard/server/tlsfile"
)

// Where permissions come from.
const (
	sourceClaims  = "claims"  // from the roles in the token
	SourceZitadel = "zitadel" // from the provider, asked with the caller's token
)

// Who is asked about users who are unknown here.
const (
	directoryNone    = "none"
	DirectoryZitadel = "zitadel" // the provider, with the caller's token
)

// parseDirectory reads who is asked about users who are unknown here.
func parseDirectory(to *string, s string) error {
	if s != directoryNone && s != DirectoryZitadel {
		return fmt.Errorf("%q is no directory of users; expected %s or %s", s, directoryNone, DirectoryZitadel)
	}
	*to = s
	return nil
}

// clientProofs are the settings by which this client authenticates itself to the provider. One of them is enough.
var clientProofs = []string{"client_secret", "client_secret_file", "client_key_file"}

// finishIdentity looks at what only shows when all settings of provider and permissions are read.
func (r *reader) finishIdentity() {
	c := r.cfg
	var proofs []string
	for _, key := range clientProofs {
		if r.given[key] {
			proofs = append(proofs, key)
		}
	}
	if len(proofs) > 1 {
		r.fault(proofs[0], "is set beside %s; expected only one of them", strings.Join(proofs[1:], " and "))
	} else if r.opensFiles {
		if c.ClientSecretFile != "" {
			c.ClientSecret = r.readSecret("client_secret_file", c.ClientSecretFile)
		}
		if c.ClientKeyFile != "" {
			r.readClientKey(c.ClientKeyFile)
		}
	}
	if len(c.Policy.InstanceRoles) > 0 && !r.given["authz.instance_organisation"] {
		r.fault("authz.instance_roles", "count nowhere without authz.instance_organisation; expected both or neither")
	}
	if c.Audience != "" && c.Audience == c.ClientID {
		r.fault("audience", "is the client id, which is the audience of whatever token this client asks about; expected what callers' tokens are made for, with ZITADEL the id of the project")
	}
	if c.DiscoveryURL != "" && c.Introspection != "" {
		r.fault("discovery_url", "is not read beside introspection.endpoint; expected only one of them")
	}
	if c.PageClientID != "" && c.Introspection != "" {
		r.fault("page.client_id", "needs the provider's description, which is not read beside introspection.endpoint; expected only one of them")
	}
	if c.Page && c.PageClientID == "" {
		r.fault("page.enabled", "is of no use without page.client_id; expected both or neither")
	}
	if len(c.PageScopes) > 0 && c.PageClientID == "" {
		r.fault("page.scopes", "count for nothing without page.client_id; expected both or neither")
	}
	if c.Source == SourceZitadel && c.DefaultOrg != "" {
		r.fault("default_organisation", "counts for nothing with authz.source: %s, where the provider says where callers belong; expected only one of them", SourceZitadel)
	}
	if c.Source == SourceZitadel {
		r.finishZitadel()
	}
	if c.ProjectID == "" {
		c.ProjectID = c.Audience
	}
	r.finishClaims()
}

// finishZitadel looks at the settings of permissions where ZITADEL is asked for them.
func (r *reader) finishZitadel() {
	c := r.cfg
	if !r.given["authz.allow_pat"] {
		c.AllowPAT = true // the provider's API takes them, and it is that which says what they allow
	}
	if !r.given["users.directory"] {
		c.Directory = DirectoryZitadel // it knows all users, and is sent the callers' tokens already
	}
	for _, key := range []string{"authz.project_id", "authz.instance_organisation", "authz.roles", "authz.instance_roles"} {
		if r.given[key] {
			r.fault(key, "counts for nothing with authz.source: %s, where the provider says what roles allow; expected only one of them", SourceZitadel)
		}
	}
}

// maxSecretBytes bounds the file of a secret or key.
const maxSecretBytes = 64 << 10

// readSecret returns the secret that the file of a setting holds, "" after a fault.
func (r *reader) readSecret(setting, file string) string {
	data, err := ReadBounded(file, maxSecretBytes)
	secret := strings.TrimSpace(string(data))
	switch {
	case err != nil:
		r.fault(setting, "%v; expected a readable file of at most %d bytes", err, maxSecretBytes)
		return ""
	case secret == "":
		r.fault(setting, "%s is empty; expected the secret", file)
	}
	return secret
}

func (r *reader) readClientKey(file string) {
	data, err := ReadBounded(file, maxSecretBytes)
	if err != nil {
		r.fault("client_key_file", "%v; expected a readable file of at most %d bytes", err, maxSecretBytes)
		return
	}
	key, err := authz.ParseClientKey(data)
	if err == nil && key.ClientID != "" && r.cfg.ClientID != "" && key.ClientID != r.cfg.ClientID {
		err = errors.New("it belongs to another client than client_id")
	}
	if err != nil {
		r.fault("client_key_file", "%s: %v; expected the JSON file that the provider gave out for the client", file, err)
	}
	r.cfg.ClientKey = key
}

// checkCertificate looks for faults of the two files.
func (r *reader) checkCertificate() {
	c := r.cfg
	switch chain, key := r.given["tls.cert_file"], r.given["tls.key_file"]; {
	case chain && !key:
		r.fault("tls.key_file", "is not set beside tls.cert_file; expected both or neither")
	case key && !chain:
		r.fault("tls.cert_file", "is not set beside tls.key_file; expected both or neither")
	case c.TLSCertFile != "" && c.TLSKeyFile != "" && r.opensFiles:
		if _, err := tlsfile.Open(tlsfile.Config{ChainFile: c.TLSCertFile, KeyFile: c.TLSKeyFile}); err != nil {
			r.fault("tls.cert_file", "%v; expected a certificate chain and, in tls.key_file, its key, both in PEM", err)
		}
	}
}
