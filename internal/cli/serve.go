package cli

import (
	"cmp"
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

	"example.org/avatard/authz"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/server"
	"example.org/avatard/server/picture"
	"example.org/avatard/server/tlsfile"
	"example.org/avatard/storage"
)

// serveCommand is "serve".
type serveCommand struct{ settingFlags }

func (flags *serveCommand) Run(ctx context.Context, inv *Program) error {
	cfg, err := readServeConfig(inv, flags.Flags)
	if err != nil {
		return err
	}
	log := server.NewLogWriter(inv.Stderr)
	defer log.Close()
	return inv.serve(ctx, cfg, func() (config.Config, error) { return readServeConfig(inv, flags.Flags) }, log)
}

func readServeConfig(inv *Program, flags *config.Flags) (config.Config, error) {
	cfg, _, err := config.ReadWithFiles(inv.Environ, flags, serveNeeds()...)
	return cfg, err
}

// serveNeeds are the settings that serve cannot do without.
func serveNeeds() []string {
	return []string{"data", "issuer", "audience", "client_id", "client_secret"}
}

// serve runs the server until ctx ends. It listens only when the store has been opened and has finished what an
// earlier process left unfinished, so that every call reaches a server that can keep its promise. reread reads the configuration
// again. The clock of everything that compares or stores times is the program's; time-outs use real time.
func (p *Program) serve(ctx context.Context, cfg config.Config, reread func() (config.Config, error), log *server.LogWriter) (err error) {
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
	warnAtStart(cfg, logger)
	watch, err := newWatch(ctx, cfg.Watch, version(), logger)
	if err != nil {
		return err
	}
	defer watch.close()
	authenticator, permissions, err := p.newIdentity(cfg, logger, watch.questions())
	if err != nil {
		return err
	}
	if secret := config.NewClientSecret(cfg, authenticator, logger); secret != nil {
		reload, stop := secret.Watch()
		defer stop()
		reloaders = append(reloaders, reloader{"client secret", reload})
	}
	hooks, err := config.NewHookSecrets(cfg, logger)
	if err != nil {
		return err
	}
	if hooks != nil {
		reload, stop := hooks.Watch()
		defer stop()
		reloaders = append(reloaders, reloader{"hook secrets", reload})
	}
	run := &serving{Program: p, cfg: cfg, log: log, logger: logger, watch: watch, authenticator: authenticator, permissions: permissions, hooks: hooks.Hooks(),
		hangups: hangups, reloaders: reloaders}
	return run.openAndListen(ctx)
}

// serving is one run of serve.
type serving struct {
	*Program
	cfg           config.Config
	log           *server.LogWriter
	logger        *slog.Logger
	watch         *watch
	authenticator *authz.Introspector
	permissions   authz.Source
	hooks         []server.Hook
	hangups       chan os.Signal
	reloaders     []reloader
}

// openAndListen opens the store and serves until ctx ends.
func (p *serving) openAndListen(ctx context.Context) (err error) {
	cfg, logger := p.cfg, p.logger
	place := p.placeOf(cfg)
	store, err := place.Open(ctx, storage.OpenOptions{Logger: logger, Now: p.Now, Keep: cfg.Keep})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	stream, store, err := p.startAuditStream(store)
	if err != nil {
		return err
	}
	if stream != nil {
		defer stream.close()
	}
	warnOfOtherIssuers(logger, store, cfg.Issuer)
	if err := addOrganizations(ctx, store, logger, cfg.StartOrganizations()); err != nil {
		return err
	}
	draining := &drain{delay: cfg.ShutdownDelay, logger: logger}
	of := serverConfig(cfg, store, logger)
	of.Checks = append(append(draining.checks(), of.Checks...), stream.checks()...)
	of.Store, of.Observer, of.Interceptors = p.watch.store(store), p.watch.calls(), p.watch.interceptors()
	of.Authenticator, of.Permissions, of.Now, of.Version = p.authenticator, p.permissions, p.Now, version()
	of.Hooks = p.hooks
	if of.UserDirectory, err = newUserDirectory(cfg, p.authenticator); err != nil {
		return err
	}
	of.SignIn = signInOf(cfg, p.authenticator)
	if of.DefaultImage, err = readDefaultImage(cfg); err != nil {
		return err
	}
	srv, err := server.New(of)
	if err != nil {
		return err
	}
	listen := srv.Serve
	if cfg.TLSCertFile != "" {
		shown, err := p.openCertificate(cfg, logger)
		if err != nil {
			return err
		}
		p.reloaders = append(p.reloaders, reloader{"certificate", shown.Reload})
		p.watch.certificate(shown)
		listen = func(ctx context.Context, ln net.Listener) error { return srv.ServeTLS(ctx, ln, shown.Get) }
	}
	defer reloadOn(p.hangups, logger, p.reloaders)()
	stopAdmin, err := admin.Serve(place.ControlDir(), &admin.Server{Store: store, Issuer: cfg.Issuer, Logger: logger, Configured: cfg.StartOrganizations()})
	if err != nil {
		return err
	}
	defer stopAdmin()
	stopShowing, err := p.watch.show(ctx, cfg.Watch.MetricsListen, p.authenticator, p.permissions, store, srv, p.log)
	if err != nil {
		return err
	}
	defer stopShowing()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return listeningFailed(err, "set listen to another one")
	}
	printBanner(p.Stderr, cfg, ln.Addr().String())
	defer tryProvider(ctx, p.authenticator, logger)()
	serving, stop := draining.after(ctx)
	defer stop()
	return listen(serving, ln) // it logs the address
}

// warnAtStart logs what is not as safe as it could be.
func warnAtStart(cfg config.Config, logger *slog.Logger) {
	if err := disableCoreDumps(); err != nil {
		logger.Warn("starting", "error", err)
	}
	config.WarnOfCleartext(cfg, logger)
	cfg.WarnOfOpenSecrets(logger)
}

// serverConfig is what the configuration and the store say of the server.
func serverConfig(cfg config.Config, store storage.Engine, logger *slog.Logger) server.Config {
	return server.Config{
		Issuer:                cfg.Issuer,
		Pictures:              picture.New(cfg.Pictures),
		RenditionBytes:        cmp.Or(cfg.ResizedBytes, -1),
		Logger:                logger,
		Realm:                 cfg.Realm,
		PublicAssets:          cfg.PublicAssets,
		WithoutReflection:     !cfg.Reflection,
		Page:                  cfg.Page,
		RegisterOnAdminUpload: cfg.RegisterOnAdminUpload,
		StartOrganizations:    cfg.StartOrganizations(),
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
		MaxHeaderBytes: cfg.MaxHeaderBytes, IdleTimeout: cfg.IdleTimeout,
		Proxies:       cfg.TrustedProxies,
		ShutdownGrace: cfg.ShutdownGrace,
	}
}

// readDefaultImage reads the file of the picture for people who have none, nil = none is configured.
func readDefaultImage(cfg config.Config) ([]byte, error) {
	if cfg.DefaultImage == "" {
		return nil, nil
	}
	data, err := config.ReadBounded(cfg.DefaultImage, int64(cfg.Pictures.MaxUploadBytes))
	if err == nil {
		_, err = picture.New(cfg.Pictures).Open(data)
	}
	if err != nil {
		return nil, fmt.Errorf("pictures.default_image: %w", err)
	}
	return data, nil
}

// openCertificate returns the configured certificate, which is read again when its files change.
func (p *Program) openCertificate(cfg config.Config, logger *slog.Logger) (*tlsfile.Certificate, error) {
	shown, err := tlsfile.Open(tlsfile.Config{ChainFile: cfg.TLSCertFile, KeyFile: cfg.TLSKeyFile, Logger: logger, Now: p.Now, Renewed: func() {
		cfg.WarnIfOpen(cfg.TLSKeyFile, logger)
	}})
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return shown, nil
}

// registrar is on record for what the configuration registers.
var registrar = storage.Origin{Caller: "configuration"}

// addOrganizations registers the organisations of the configuration. One that has ended stays so, which does not keep the others from being
// served.
func addOrganizations(ctx context.Context, store storage.Store, logger *slog.Logger, organizations []string) error {
	for _, org := range organizations {
		_, err := store.AddOrganization(ctx, org, registrar)
		if errors.Is(err, storage.ErrOrganizationEnded) {
			logger.Warn("an organisation of the settings has ended and is not registered again: take it out of organisations and default_organisation, or register it with avatard org add",
				"organisation", org)
			continue
		}
		if err != nil {
			return fmt.Errorf("registering organisation %s: %w", org, err)
		}
	}
	return nil
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
