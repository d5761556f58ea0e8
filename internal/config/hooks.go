package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"example.org/avatard/internal/ids"
	"example.org/avatard/internal/secretfile"
	"example.org/avatard/server"
	"example.org/avatard/server/webhook"
)

const (
	// maxHooks bounds how many hooks there are.
	maxHooks = 16
	// maxHookSecretBytes bounds the file of a hook's secrets.
	maxHookSecretBytes = 4 << 10
)

// HookOfSettings is a sender of account events.
type HookOfSettings struct {
	Name          string
	Organizations []string
	Scheme        webhook.Scheme
	SecretFile    string
}

// Hooks returns the configured hooks, in the order of their names.
func (c Config) Hooks() []HookOfSettings {
	var hooks []HookOfSettings
	for _, name := range sortedKeys(c.HookOrganizations) {
		h := HookOfSettings{Name: name, Organizations: c.HookOrganizations[name], SecretFile: filepath.Join(c.HookSecrets, name)}
		if slices.Contains(c.HookZitadel, name) {
			h.Scheme = webhook.Zitadel
		}
		hooks = append(hooks, h)
	}
	return hooks
}

// parseHooks reads the organisations of hooks.
func parseHooks(to *map[string][]string, rows map[string][]string) error {
	var faults []error
	for _, name := range sortedKeys(rows) {
		faults = append(faults, server.CheckHookName(name))
		if len(rows[name]) == 0 {
			faults = append(faults, fmt.Errorf("hook %q takes no events; expected the organisations of which it does", name))
		}
		for _, org := range rows[name] {
			if !ids.Valid(org) {
				faults = append(faults, fmt.Errorf("hook %q: %q is no id; expected 1 to 200 characters without control characters", name, org))
			}
		}
	}
	if len(rows) > maxHooks {
		faults = append(faults, fmt.Errorf("%d hooks are too many; expected %d at most", len(rows), maxHooks))
	}
	*to = rows
	return errors.Join(faults...)
}

// finishHooks looks at what only shows when all settings of hooks are read.
func (r *reader) finishHooks() {
	c := r.cfg
	switch organizations, secrets := r.given["hooks.organisations"], r.given["hooks.secrets"]; {
	case organizations != secrets:
		r.fault("hooks", "need hooks.organisations and hooks.secrets; expected both or neither")
		return
	case organizations && c.HookSecrets != "" && r.opensFiles:
		for _, h := range c.Hooks() {
			if server.CheckHookName(h.Name) != nil {
				continue // it may lead out of the directory, and has its fault already
			}
			if _, err := h.readSecrets(); err != nil {
				r.fault("hooks.secrets", "%v", err)
			}
		}
	}
	for _, name := range c.HookZitadel {
		if _, ok := c.HookOrganizations[name]; !ok {
			r.fault("hooks.zitadel", "%q is no hook; expected names of hooks.organisations", name)
		}
	}
}

// readSecrets reads the file of a hook's secrets, which has to be its owner's alone: who can read it can end accounts. Errors repeat nothing
// of it.
func (h HookOfSettings) readSecrets() ([]webhook.Secret, error) {
	f, err := os.Open(h.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("%w; expected a readable file of the hook's name", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if secretfile.IsOpen(info) {
		return nil, fmt.Errorf("%s is open to other users of this machine (mode %04o); expected mode 0600", h.SecretFile, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxHookSecretBytes+1))
	if err == nil && len(text) > maxHookSecretBytes {
		err = fmt.Errorf("%s is over %d bytes", h.SecretFile, maxHookSecretBytes)
	}
	if err != nil {
		return nil, err
	}
	secrets, err := webhook.ParseSecrets(h.Scheme, string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.SecretFile, err)
	}
	return secrets, nil
}
