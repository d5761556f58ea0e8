package config

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"example.org/avatard/server"
	"example.org/avatard/server/webhook"
)

// HookSecrets keeps the secrets of hooks up to date with their files. After a file that cannot be read or does not hold secrets the old ones
// stay in use, and the log says so.
type HookSecrets struct {
	hooks  []*watchedHook
	logger *slog.Logger
}

// watchedHook is a hook whose secrets may change.
type watchedHook struct {
	HookOfSettings
	secrets atomic.Pointer[[]webhook.Secret]
	failed  string // why the file was of no use, as logged
}

// NewHookSecrets reads the secrets of the configured hooks. It returns nil where there are none.
func NewHookSecrets(cfg Config, logger *slog.Logger) (*HookSecrets, error) {
	w := &HookSecrets{logger: logger}
	for _, h := range cfg.Hooks() {
		secrets, err := h.readSecrets()
		if err != nil {
			return nil, fmt.Errorf("hooks.secrets: %w", err)
		}
		watched := &watchedHook{HookOfSettings: h}
		watched.secrets.Store(&secrets)
		w.hooks = append(w.hooks, watched)
	}
	if len(w.hooks) == 0 {
		return nil, nil
	}
	return w, nil
}

// Hooks returns the hooks for a server.
func (w *HookSecrets) Hooks() []server.Hook {
	if w == nil {
		return nil
	}
	var hooks []server.Hook
	for _, h := range w.hooks {
		hooks = append(hooks, server.Hook{Name: h.Name, Scheme: h.Scheme, Organizations: h.Organizations,
			Secrets: func() []webhook.Secret { return *h.secrets.Load() }})
	}
	return hooks
}

// Watch looks at the files every second, and when reload is called, until stop is. A reload says how it went in any case.
func (w *HookSecrets) Watch() (reload, stop func()) {
	return watchFiles(func(asked bool) {
		for _, h := range w.hooks {
			h.look(w.logger, asked)
		}
	})
}

// look reads the file and takes over what is new in it.
func (h *watchedHook) look(logger *slog.Logger, asked bool) {
	secrets, err := h.readSecrets()
	if err != nil {
		if asked || err.Error() != h.failed {
			logger.Error("the new secrets of a hook are of no use; those before stay in use", "hook", h.Name, "file", h.SecretFile, "error", err)
		}
		h.failed = err.Error()
		return
	}
	h.failed = ""
	if asked || !slices.EqualFunc(secrets, *h.secrets.Load(), webhook.Secret.Equal) {
		h.secrets.Store(&secrets)
		logger.Info("secrets of a hook read", "hook", h.Name, "file", h.SecretFile, "secrets", len(secrets))
	}
}
