package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"avatard/server"
	"avatard/storage"
	"avatard/storage/embedded"
)

func runServe(ctx context.Context, inv *invocation, args []string) error {
	fs := newFlagSet("serve")
	flags := addConfigFlags(fs)
	words, err := parseFlags(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return usagef("serve takes flags only, not %q", words[0])
	}
	cfg, err := readConfig(inv.environ, flags, "data", "issuer", "audience", "client_id", "client_secret")
	if err != nil {
		return err
	}
	log := server.NewLogWriter(inv.stderr)
	defer log.Close()
	return serve(ctx, cfg, log, inv.now)
}

// serve runs the server until ctx ends. It listens only when the store has been opened and has finished what an
// earlier process left, so whoever reaches it reaches a server that can keep its promise. now is the clock of
// everything that compares or stores times, nil = time.Now; time-outs use real time.
func serve(ctx context.Context, cfg config, log *server.LogWriter, now func() time.Time) (err error) {
	logger := newLogger(log, cfg)
	log.Tell(logger)
	if err := disableCoreDumps(); err != nil {
		logger.Warn("starting", "error", err)
	}
	for _, file := range cfg.secretFiles() {
		file.warnIfOpen(logger)
	}
	watch, err := newWatch(ctx, cfg.Watch, logger)
	if err != nil {
		return err
	}
	defer watch.close()
	authenticator, permissions, err := newIdentity(cfg, logger, now, watch.questions())
	if err != nil {
		return err
	}
	store, err := embedded.Open(ctx, embedded.Config{Dir: cfg.Data, Logger: logger, Now: now, Keep: cfg.Keep})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, org := range cfg.Organizations {
		if _, err := store.AddOrganization(ctx, org, storage.Origin{Caller: "configuration"}); err != nil {
			return fmt.Errorf("registering organisation %s: %w", org, err)
		}
	}
	srv, err := server.New(server.Config{
		Store:                 watch.store(store),
		Issuer:                cfg.Issuer,
		Authenticator:         authenticator,
		Permissions:           permissions,
		Logger:                logger,
		Realm:                 cfg.Realm,
		PublicAssets:          cfg.PublicAssets,
		WithoutReflection:     !cfg.Reflection,
		RegisterOnAdminUpload: cfg.RegisterOnAdminUpload,
		Checks: []server.Check{
			{Name: "erasures", Ready: store.ErasuresDone, Advisory: true},
			{Name: "uploads", Ready: store.RoomForUploads, Advisory: true},
		},
		AllowedOrigin: allowedOrigins(cfg.Origins), AllowedHeaders: cfg.CORSHeaders,
		ClientAddress: server.ForwardedAddress(cfg.TrustedProxies),
		AddressRate:   cfg.AddressRate,
		CallerRate:    cfg.CallerRate,
		MaxRequests:   cfg.MaxRequests, MaxRequestsPerAddress: cfg.MaxRequestsPerAddress,
		MaxConnections: cfg.MaxConnections, MaxConnectionsPerAddress: cfg.MaxConnectionsPerAddress,
		MaxHeaderBytes: cfg.MaxHeaderBytes,
		Proxies:        cfg.TrustedProxies,
		Now:            now,
		Observer:       watch.calls(),
		Interceptors:   watch.interceptors(),
		Version:        buildVersion(),
		ShutdownGrace:  cfg.ShutdownGrace,
	})
	if err != nil {
		return err
	}
	listen := srv.Serve
	if cfg.TLSCertFile != "" {
		shown, err := openCertificate(cfg.TLSCertFile, cfg.TLSKeyFile, logger, now)
		if err != nil {
			return fmt.Errorf("reading the certificate: %w", err)
		}
		defer shown.reloadOnHangup(ctx)()
		listen = func(ctx context.Context, ln net.Listener) error { return srv.ServeTLS(ctx, ln, shown.get) }
	}
	stopAdmin, err := serveAdmin(cfg.Data, &admin{store: store, issuer: cfg.Issuer, logger: logger})
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
		return fmt.Errorf("listening: %w", err)
	}
	return listen(ctx, ln) // it logs the address
}

// allowedOrigins reports whether an origin is a configured one. It is nil where none is, so that no answer has a header
// of CORS.
func allowedOrigins(origins []string) func(origin string) bool {
	if len(origins) == 0 {
		return nil
	}
	return func(origin string) bool { return slices.Contains(origins, origin) }
}

func newLogger(w io.Writer, cfg config) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
