package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"avatard/server"
	"avatard/server/picture"
	"avatard/storage"
	"avatard/storage/embedded"
)

func runServe(ctx context.Context, inv *avatardProgram, args []string) error {
	fs := newFlagSet("serve")
	flags := addConfigFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("serve takes flags only, not %q", words[0])
	}
	cfg, err := readServeConfig(inv, flags)
	if err != nil {
		return err
	}
	log := server.NewLogWriter(inv.stderr)
	defer log.Close()
	return serve(ctx, cfg, func() (config, error) { return readServeConfig(inv, flags) }, log, inv.now)
}

func readServeConfig(inv *avatardProgram, flags *configFlags) (config, error) {
	return readConfig(inv.environ, flags, serveNeeds()...)
}

// serveNeeds are the settings that serve cannot do without.
func serveNeeds() []string {
	return []string{"data", "issuer", "audience", "client_id", "client_secret"}
}

// serve runs the server until ctx ends. It listens only when the store has been opened and has finished what an
// earlier process left, so whoever reaches it reaches a server that can keep its promise. reread reads the configuration
// again. now is the clock of everything that compares or stores times, nil = time.Now; time-outs use real time.
func serve(ctx context.Context, cfg config, reread func() (config, error), log *server.LogWriter, now func() time.Time) (err error) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // it must not end the process, nor while that starts
	defer signal.Stop(hangups)
	var reloaders []reloader
	level := new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	logger := newLogger(log, cfg.LogFormat, level)
	if cfg.File != "" {
		again := &configReloader{read: reread, current: cfg, level: level, logger: logger}
		reloaders = append(reloaders, reloader{"configuration", again.reload})
	}
	log.Tell(logger)
	if err := disableCoreDumps(); err != nil {
		logger.Warn("starting", "error", err)
	}
	warnOfCleartext(cfg, logger)
	cfg.warnOfOpenSecrets(logger)
	watch, err := newWatch(ctx, cfg.Watch, logger)
	if err != nil {
		return err
	}
	defer watch.close()
	authenticator, permissions, err := newIdentity(cfg, logger, now, watch.questions())
	if err != nil {
		return err
	}
	if secret := newClientSecret(cfg, authenticator, logger); secret != nil {
		reload, stop := secret.watch()
		defer stop()
		reloaders = append(reloaders, reloader{"client secret", reload})
	}
	store, err := embedded.Open(ctx, embedded.Config{Dir: cfg.Data, Logger: logger, Now: now, Keep: cfg.Keep})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	warnOfOtherIssuers(logger, store, cfg.Issuer)
	for _, org := range cfg.organizations() {
		if _, err := store.AddOrganization(ctx, org, storage.Origin{Caller: "configuration"}); err != nil {
			return fmt.Errorf("registering organisation %s: %w", org, err)
		}
	}
	draining := &drain{delay: cfg.ShutdownDelay, logger: logger}
	srv, err := server.New(server.Config{
		Store:                 watch.store(store),
		Issuer:                cfg.Issuer,
		Authenticator:         authenticator,
		Permissions:           permissions,
		Pictures:              picture.New(cfg.Pictures),
		Logger:                logger,
		Realm:                 cfg.Realm,
		PublicAssets:          cfg.PublicAssets,
		WithoutReflection:     !cfg.Reflection,
		RegisterOnAdminUpload: cfg.RegisterOnAdminUpload,
		Checks: append(draining.checks(),
			server.Check{Name: "erasures", Ready: store.ErasuresDone, Advisory: true},
			server.Check{Name: "uploads", Ready: store.RoomForUploads, Advisory: true}),
		AllowedOrigin: allowedOrigins(cfg.Origins), AllowedHeaders: cfg.CORSHeaders,
		ClientAddress: server.ForwardedAddress(cfg.TrustedProxies),
		AddressRate:   cfg.AddressRate,
		CallerRate:    cfg.CallerRate,
		MaxRequests:   cfg.MaxRequests, MaxRequestsPerAddress: cfg.MaxRequestsPerAddress,
		MaxConnections: cfg.MaxConnections, MaxConnectionsPerAddress: cfg.MaxConnectionsPerAddress,
		MaxHeaderBytes: cfg.MaxHeaderBytes, IdleTimeout: cfg.IdleTimeout,
		Proxies:       cfg.TrustedProxies,
		Now:           now,
		Observer:      watch.calls(),
		Interceptors:  watch.interceptors(),
		Version:       buildVersion(),
		ShutdownGrace: cfg.ShutdownGrace,
	})
	if err != nil {
		return err
	}
	listen := srv.Serve
	if cfg.TLSCertFile != "" {
		shown, err := openCertificate(certificateConfig{ChainFile: cfg.TLSCertFile, KeyFile: cfg.TLSKeyFile, Logger: logger, Now: now, Renewed: func() {
			cfg.warnIfOpen(cfg.TLSKeyFile, logger)
		}})
		if err != nil {
			return fmt.Errorf("reading the certificate: %w", err)
		}
		reloaders = append(reloaders, reloader{"certificate", shown.reload})
		watch.certificate(shown)
		listen = func(ctx context.Context, ln net.Listener) error { return srv.ServeTLS(ctx, ln, shown.get) }
	}
	defer reloadOn(hangups, logger, reloaders)()
	stopAdmin, err := serveAdmin(cfg.Data, &admin{store: store, issuer: cfg.Issuer, logger: logger, configured: cfg.organizations()})
	if err != nil {
		return err
	}
	defer stopAdmin()
	stopShowing, err := watch.show(ctx, cfg.Watch.MetricsListen, authenticator, permissions, store, srv, log)
	if err != nil {
		return err
	}
	defer stopShowing()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return listeningFailed(err, "set listen to another one")
	}
	defer tryProvider(ctx, authenticator, logger)()
	serving, stop := draining.after(ctx)
	defer stop()
	return listen(serving, ln) // it logs the address
}

// allowedOrigins reports whether an origin is a configured one. It is nil where none is, so that no answer has a header
// of CORS.
func allowedOrigins(origins []string) func(origin string) bool {
	if len(origins) == 0 {
		return nil
	}
	return func(origin string) bool { return slices.Contains(origins, origin) }
}

// durationText gives durations their unit. As a bare number, which is JSON's way of slog, nobody can tell nanoseconds from milliseconds.
func durationText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" {
		opts.ReplaceAttr = durationText
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
