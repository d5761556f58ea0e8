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
	"strconv"
	"strings"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
	"example.org/avatard/test/program"
)

// served is a server in a process of its own.
type served struct {
	address string
	pid     int
	stop    func() error
}

// roles are the servers that are measured. A bare handler does nothing but to write the same bytes, or 304 with the fields that it must have.
var roles = map[string]func(context.Context, options, net.Listener) error{"bare": serveBare, "avatard": serveAvatard}

// start begins a server of a role.
func start(ctx context.Context, role, dir string, o options) (*served, error) {
	p, err := program.Again(ctx, os.Stderr, nil,
		"-serve", role, "-dir", dir, "-bytes", strconv.Itoa(o.bytes), "-side", strconv.Itoa(o.side), "-resized", strconv.Itoa(o.resized))
	if err != nil {
		return nil, err
	}
	s := &served{pid: p.Cmd.Process.Pid, stop: p.Stop}
	if _, err := fmt.Fscanln(p.Out, &s.address); err != nil {
		return nil, errors.Join(fmt.Errorf("server %s: %w", role, err), s.stop())
	}
	return s, nil
}

// serveRole serves until standard input ends.
func serveRole(ctx context.Context, o options, stdout io.Writer) error {
	serve, known := roles[o.serve]
	if !known {
		return fmt.Errorf("no server %q", o.serve)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, ln.Addr())
	ctx, cancel := program.UntilClosed(ctx, os.Stdin)
	defer cancel()
	return serve(ctx, o, ln)
}

// sample is the stored picture that everybody has.
func sample(o options) ([]byte, error) {
	data := picture.Sample(1, o.bytes)
	stored, err := picture.OpenStored(data)
	if err != nil || o.side == 0 || stored.Side() <= o.side {
		return data, err
	}
	small, err := stored.Resize(context.Background(), o.side)
	return small.Data, err
}

// bareTag is that of the bare handler.
const bareTag = `"bare"`

// A picture that caches may keep, and 304, must have these fields (RFC 9110 section 15.4.5).
var bareTags, bareCaching = []string{bareTag}, []string{"public, no-cache"}

func serveBare(ctx context.Context, o options, ln net.Listener) error {
	data, err := sample(o)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // what limits cost is part of what is measured
		w.Header()["Etag"], w.Header()["Cache-Control"] = bareTags, bareCaching
		if r.Header.Get("If-None-Match") == bareTag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	})}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// nobody stands for the provider, which reads of pictures do not ask.
type nobody struct{}

func (nobody) Authenticate(context.Context, http.Header) (authz.Identity, error) {
	return authz.Identity{}, authz.ErrInvalidToken
}

func serveAvatard(ctx context.Context, o options, ln net.Listener) error {
	server.TuneRuntime(os.Getenv) //nolint:forbidigo // as the program does
	store, err := embedded.Open(ctx, embedded.Config{Dir: o.dir})
	if err != nil {
		return err
	}
	for i := range o.pictures {
		if _, err := store.Put(ctx, storage.Upload{User: userKey(i), Organization: org, By: storage.Origin{Caller: "reads"}, Register: true,
			Picture: storage.Picture{Format: storage.PNG, Data: picture.Sample(1, o.bytes)}}); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	log := server.NewLogWriter(io.Discard)
	defer log.Close()
	srv, err := server.New(server.Config{Store: store, Issuer: userKey(0).Issuer, Authenticator: nobody{}, Permissions: authz.NewClaims(authz.DefaultPolicy()),
		Logger: slog.New(slog.NewTextHandler(log, nil)), PublicAssets: true, RenditionBytes: o.resized})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	return errors.Join(srv.Serve(ctx, ln), store.Close())
}

// path is where the picture of a user is.
func path(i, side int) string {
	p := "/assets/v1/" + org + "/users/" + strings.TrimPrefix(userKey(i).ID, "/") + "/avatar"
	if side > 0 {
		p += "?size=" + strconv.Itoa(side)
	}
	return p
}
