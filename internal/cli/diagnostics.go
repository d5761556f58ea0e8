package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of the listener for metrics and profiles. A profile may take the longest time that is asked for usually.
const (
	maxDiagnosticsConns = 32
	maxProfileDuration  = 2 * time.Minute
)

// serveDiagnostics shows metrics and profiles on a listener of their own until the returned function is called, so that
// callers who can only reach the API do not see them.
func serveDiagnostics(ctx context.Context, address string, metrics http.Handler, logger *slog.Logger) (stop func(), err error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for metrics: %w", err)
	}
	srv := &http.Server{
		Handler:           diagnosticsHandler(metrics),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      maxProfileDuration,
		IdleTimeout:       2 * time.Minute, // more than the time between two scrapes
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := srv.Serve(netutil.LimitListener(ln, maxDiagnosticsConns)); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics", "error", err)
		}
	}()
	logger.Info("showing metrics", "address", ln.Addr().String())
	return func() {
		_ = srv.Close() // there is nothing in it worth waiting for
		<-ended
	}, nil
}

// diagnosticsHandler serves /metrics and, to this machine alone, profiles where "go tool pprof" looks for them. The
// command line (/debug/pprof/cmdline) is not among them: it may hold a secret.
func diagnosticsHandler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/{name}", func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if !slices.Contains([]string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"}, name) {
			http.NotFound(w, r)
			return
		}
		pprof.Handler(name).ServeHTTP(w, r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		here := cameOverLoopback(r)
		// A page of the open web can make a browser on this machine ask (DNS rebinding); the Host field tells.
		if here && !isDevHost(namedHost(r)) {
			http.Error(w, "ask for localhost, 127.0.0.1 or [::1]", http.StatusMisdirectedRequest)
			return
		}
		// No path here needs an escape; one would only get past the rules of a proxy.
		if r.URL.RawPath != "" || !here && r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// cameOverLoopback reports whether a request's connection ends at an address that only this machine can reach.
func cameOverLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}
