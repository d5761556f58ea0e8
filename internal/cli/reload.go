package cli

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"example.org/avatard/internal/config"
)

// reloader is something that serve can read again while it runs. reload logs how it went; what cannot be read changes
// nothing.
type reloader struct {
	name   string
	reload func()
}

// reloadOn runs all reloaders each time a signal comes, until stop is called.
func reloadOn(signals <-chan os.Signal, logger *slog.Logger, reloaders []reloader) (stop func()) {
	var names []string
	for _, r := range reloaders {
		names = append(names, r.name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				if len(reloaders) == 0 {
					logger.Info("nothing to reload: there is no configuration file, no certificate and no secret in a file of its own", "signal", s.String())
					continue
				}
				logger.Info("reloading", "signal", s.String(), "what", strings.Join(names, ", "))
				for _, r := range reloaders {
					r.reload()
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// configReloader takes over what may change while a server runs, which is the level of the log. It says when other settings
// have changed.
type configReloader struct {
	read    func() (config.Config, error)
	current config.Config
	level   *slog.LevelVar
	logger  *slog.Logger
}

func (c *configReloader) reload() {
	read, err := c.read()
	if err != nil {
		c.logger.Error("the configuration is of no use now; the one before stays in force", "error", err)
		return
	}
	if !reflect.DeepEqual(c.unchangeable(read), c.unchangeable(c.current)) {
		c.logger.Warn("settings other than log.level have changed; they take effect at the next start")
	}
	before := c.level.Level()
	c.level.Set(min(before, read.LogLevel)) // the line below counts for both
	c.logger.Info("configuration read", "log_level", read.LogLevel.String(), "changed", read.LogLevel != before)
	c.level.Set(read.LogLevel)
}

// unchangeable returns the part of a configuration that a running server keeps. Secrets and certificates in files of their own do
// not count.
func (c *configReloader) unchangeable(cfg config.Config) config.Config {
	cfg.LogLevel = 0
	cfg.ClientKey = c.current.ClientKey
	if cfg.ClientSecretFile != "" {
		cfg.ClientSecret = ""
	}
	return cfg
}
