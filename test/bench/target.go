package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"example.org/avatard/authz"
	"example.org/avatard/authz/devidp"
	managementv1 "example.org/avatard/gen/zitadel/management/v1"
	"example.org/avatard/gen/zitadel/management/v1/managementv1connect"
	zitadelv1 "example.org/avatard/gen/zitadel/v1"
	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// target is what is measured.
type target string

const (
	targetEmpty    target = "empty"
	targetBare     target = "bare"
	targetNoop     target = "noop"
	targetEmbedded target = "embedded"
	targetQuiet    target = "quiet"
)

func allTargets() []target {
	return []target{targetEmpty, targetBare, targetNoop, targetEmbedded, targetQuiet}
}

// stores reports whether a target has users, whose pictures must be there before they can be deleted.
func (t target) stores() bool { return t == targetEmbedded || t == targetQuiet }

// want is what an answer of the target holds: all but the empty handler name the organisation on success.
func (t target) want() string {
	if t == targetEmpty {
		return ""
	}
	return devidp.OrgAcme
}

// issuerKey is half of the users' keys. It is not the provider's URL, which has a new port each time.
const issuerKey = "bench"

// at is a moment with microseconds, as real answers have.
func at() time.Time { return time.UnixMicro(1_683_885_731_123_456) }

// serving is a target that answers on a loopback address.
type serving struct {
	address string
	token   string
	pool    *pool     // nil where nothing is stored
	files   *fileWork // nil where nothing is stored
	stop    func() error
}

// startTarget begins to serve what cmd names.
func startTarget(ctx context.Context, cmd command) (*serving, error) {
	ln, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	switch s := (&serving{address: ln.Addr().String()}); cmd.Target {
	case targetEmpty:
		s.plain(ln, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		return s, nil
	case targetBare:
		_, handler := managementv1connect.NewManagementServiceHandler(constant{})
		s.plain(ln, handler)
		return s, nil
	default:
		return s, s.avatard(ctx, ln, cmd)
	}
}

func listen(ctx context.Context) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
}

// plain serves without any limit of the transport: what it costs to bound what callers do is part of avatard's cost.
func (s *serving) plain(ln net.Listener, handler http.Handler) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{Handler: handler, Protocols: protocols} //nolint:gosec // see above
	go func() { _ = srv.Serve(ln) }()
	s.stop = srv.Close
}

// constant answers as an RPC handler does that has nothing to do.
type constant struct {
	managementv1connect.UnimplementedManagementServiceHandler
}

func (constant) RemoveHumanAvatar(context.Context, *managementv1.RemoveHumanAvatarRequest) (*managementv1.RemoveHumanAvatarResponse, error) {
	return &managementv1.RemoveHumanAvatarResponse{Details: &zitadelv1.ObjectDetails{
		Sequence: 3, CreationDate: timestamppb.New(at()), ChangeDate: timestamppb.New(at()), ResourceOwner: devidp.OrgAcme,
	}}, nil
}

// constantStore removes nothing and says it has.
type constantStore struct{ storage.Store }

func (constantStore) Remove(context.Context, storage.Removal) (storage.Result, error) {
	return storage.Result{
		Details: storage.Details{Sequence: 3, CreationDate: at(), ChangeDate: at(), Organization: devidp.OrgAcme},
		Receipt: "00112233445566778899aabbccddeeff",
	}, nil
}

func (constantStore) Close() error { return nil }

// avatard serves the real thing, put together as the program does it.
func (s *serving) avatard(ctx context.Context, ln net.Listener, cmd command) error {
	server.TuneRuntime(os.Getenv) //nolint:forbidigo // as the program does
	logger, closeLog, err := startLog(cmd)
	if err != nil {
		return err
	}
	seeded, idpServer, err := startProvider(ctx, logger)
	if err != nil {
		return err
	}
	authenticator, err := authz.NewIntrospector(authz.IntrospectionConfig{
		Issuer:       seeded.Issuer,
		ClientID:     seeded.Client.ID,
		ClientSecret: seeded.Client.Secret,
		Audience:     seeded.Audience,
		ProjectID:    seeded.Audience,
		CacheTTL:     authz.DefaultCacheTTL,
		Logger:       logger,
	})
	if err != nil {
		return err
	}
	store, err := s.openStore(ctx, cmd, logger)
	if err != nil {
		return err
	}
	srv, err := server.New(server.Config{
		Store:         store,
		Issuer:        issuerKey,
		Authenticator: authenticator,
		Permissions:   authz.NewClaims(authz.DefaultPolicy()),
		Logger:        logger,
		PublicAssets:  true,
		AllowedOrigin: func(string) bool { return false },
	})
	if err != nil {
		return err
	}
	s.token = seeded.Tokens["TOKEN_MANAGER"]
	serveCtx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(serveCtx, ln) }()
	s.stop = func() error {
		cancel()
		return errors.Join(<-done, idpServer.Close(), store.Close(), closeLog())
	}
	return nil
}

// startLog begins a log in a file of the directory of cmd, which it makes. A file is about the cheapest place for a log, and one that a
// service really has.
func startLog(cmd command) (logger *slog.Logger, end func() error, err error) {
	level := slog.LevelInfo
	if cmd.Target == targetQuiet {
		level = slog.LevelWarn
	}
	if err := os.MkdirAll(cmd.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	file, err := os.Create(filepath.Join(cmd.Dir, "log"))
	if err != nil {
		return nil, nil, err
	}
	log := server.NewLogWriter(file)
	return slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level})), func() error {
		log.Close()
		return file.Close()
	}, nil
}

// startProvider starts an identity provider in this process, on a listener of its own. The server's cache asks it once in five seconds.
func startProvider(ctx context.Context, logger *slog.Logger) (*devidp.Seeded, *http.Server, error) {
	ln, err := listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	provider, seeded, err := devidp.Seed(devidp.Config{Issuer: "http://" + ln.Addr().String() + "/idp"})
	if err != nil {
		return nil, nil, err
	}
	idpServer := server.NewHTTPServer(provider.Handler(), logger)
	go func() { _ = idpServer.Serve(ln) }()
	return seeded, idpServer, nil
}

// openStore opens the store of the target that cmd names.
func (s *serving) openStore(ctx context.Context, cmd command, logger *slog.Logger) (storage.Store, error) {
	if !cmd.Target.stores() {
		return constantStore{}, nil
	}
	s.files = new(fileWork)
	engine, err := embedded.Open(ctx, embedded.Config{Dir: filepath.Join(cmd.Dir, "data"), Logger: logger, WrapFile: s.files.wrap})
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s.pool = newPool(engine, cmd.Pool, cmd.Bytes)
	return engine, nil
}
