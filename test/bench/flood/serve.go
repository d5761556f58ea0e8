package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"example.org/avatard/authz"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/program"
)

// order is what the server's process is told, as one JSON text on its standard input. It serves until that is closed.
type order struct {
	Issuer, ClientID, ClientSecret, Audience, User string
}

// serveRole is the server's process. It writes its URL as one line.
func serveRole(ctx context.Context, in io.Reader, out, log io.Writer) (err error) {
	commands := json.NewDecoder(in)
	var o order
	if err := commands.Decode(&o); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "avatard-flood-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := embedded.Open(ctx, embedded.Config{Dir: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	user := storage.UserKey{Issuer: o.Issuer, ID: o.User}
	if _, _, err := store.AddUser(ctx, user, devidp.OrgAcme, storage.Origin{Caller: "flood"}); err != nil {
		return err
	}
	// As in production every call leaves a line; a file is about the cheapest place for it.
	lines, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer lines.Close()
	logger := slog.New(slog.NewTextHandler(lines, nil))
	authenticator, err := authz.NewIntrospector(authz.IntrospectionConfig{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Audience: o.Audience, ProjectID: o.Audience,
		CacheTTL: authz.DefaultCacheTTL, Logger: logger,
	})
	if err != nil {
		return err
	}
	srv, err := server.New(server.Config{Store: store, Issuer: o.Issuer, Authenticator: authenticator,
		Permissions: authz.NewClaims(authz.DefaultPolicy()), Logger: logger, PublicAssets: true})
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving, cancel := program.UntilClosed(ctx, in)
	defer cancel()
	fmt.Fprintf(out, "http://%s\n", ln.Addr())
	return srv.Serve(serving, ln)
}

// serverProcess is the server from outside.
type serverProcess struct {
	process *program.Process
	url     string
}

// startServer starts this program again as the server.
func startServer(ctx context.Context, p *provider, stderr io.Writer) (*serverProcess, error) {
	child, err := program.Again(ctx, stderr, nil, roleServe)
	if err != nil {
		return nil, err
	}
	s := &serverProcess{process: child}
	o := order{Issuer: p.Issuer, ClientID: p.Client.ID, ClientSecret: p.Client.Secret, Audience: p.Audience, User: p.user}
	err = json.NewEncoder(child.In).Encode(o) //nolint:gosec // the secret goes to whom it is for
	if err == nil {
		s.url, err = bufio.NewReader(child.Out).ReadString('\n')
		s.url = strings.TrimSpace(s.url)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), s.stop())
	}
	return s, nil
}

func (s *serverProcess) pid() int { return s.process.Cmd.Process.Pid }

// stop ends the server in order.
func (s *serverProcess) stop() error { return s.process.Stop() }
