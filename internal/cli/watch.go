package cli

import (
	"context"
	"log/slog"
	"time"

	"connectrpc.com/connect"

	"example.org/avatard/authz"
	"example.org/avatard/internal/config"
	"example.org/avatard/server"
	"example.org/avatard/server/metrics"
	"example.org/avatard/server/tlsfile"
	"example.org/avatard/server/tracing"
	"example.org/avatard/storage"
)

// watch is what tells operators how a server does: metrics, traces, each if it is configured. With neither, nothing is
// counted and no call pays for it.
type watch struct {
	metrics *metrics.Metrics // nil = off
	tracing *tracing.Tracing // nil = off
	logger  *slog.Logger
}

func newWatch(ctx context.Context, cfg config.Watch, version string, logger *slog.Logger) (w *watch, err error) {
	w = &watch{logger: logger}
	if cfg.MetricsListen != "" {
		w.metrics = metrics.New(metrics.Config{Version: version, Logger: logger})
	}
	if cfg.TracingEndpoint != "" {
		w.tracing, err = tracing.New(ctx, tracing.Config{Endpoint: cfg.TracingEndpoint, Ratio: cfg.TracingRatio,
			TrustParent: cfg.TracingTrustParent, Version: version, Logger: logger})
	}
	return w, err
}

// calls returns the observer of a server.
func (w *watch) calls() server.Observer {
	if w.metrics == nil {
		return nil // not an interface that holds nil
	}
	return w.metrics
}

// questions returns the observer of an introspector.
func (w *watch) questions() authz.Observer {
	if w.metrics == nil {
		return nil
	}
	return w.metrics
}

// store returns what a server is to use in place of its store.
func (w *watch) store(s storage.Store) storage.Store {
	if w.tracing == nil {
		return s
	}
	return w.tracing.Store(s)
}

// interceptors returns those of a server.
func (w *watch) interceptors() []connect.Interceptor {
	if w.tracing == nil {
		return nil
	}
	return []connect.Interceptor{w.tracing.Interceptor()}
}

// show begins to show metrics on an address, if they are on, until the returned function is called.
func (w *watch) show(ctx context.Context, address string, in *authz.Introspector, source authz.Source, store storage.Keeper, srv *server.Server, log *server.LogWriter) (stop func(), err error) {
	if w.metrics == nil {
		return func() {}, nil
	}
	w.metrics.RegisterTokens(in.Stats)
	if asking, ok := source.(*authz.ProviderPermissions); ok {
		w.metrics.RegisterPermissions(asking.CacheStats)
	}
	w.metrics.RegisterStorage(store.Stats)
	w.metrics.RegisterLoad(srv.Load)
	w.metrics.RegisterLog(log.Dropped)
	return serveDiagnostics(ctx, address, w.metrics.Handler(), w.logger)
}

// auditStream shows how many lines of the audit stream were lost.
func (w *watch) auditStream(lost func() uint64) {
	if w.metrics != nil {
		w.metrics.RegisterAuditStream(lost)
	}
}

// certificate shows when the certificate expires.
func (w *watch) certificate(c *tlsfile.Certificate) {
	if w.metrics != nil {
		w.metrics.RegisterCertificate(c.Expiry)
	}
}

// close sends the traces that have not been sent. A collector that does not answer holds up the end for a moment only.
func (w *watch) close() {
	if w.tracing == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := w.tracing.Close(ctx); err != nil {
		w.logger.Warn("the last traces could not be sent", "error", err)
	}
}
