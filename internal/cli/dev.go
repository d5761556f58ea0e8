package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/server"
	"example.org/avatard/server/picture"
	"example.org/avatard/server/reference"
	"example.org/avatard/storage"
)

// devCommand is "dev".
type devCommand struct {
	Listen    string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"loopback address to serve on; port 0 takes any free one"`
	Data      string `placeholder:"DIR" help:"directory to keep the data in; without it a temporary one, removed at the end"`
	Cluster   bool   `help:"keep the data in PostgreSQL and a bucket, whose servers are started for it; they have to be installed"`
	EnvFile   string `default:".avatard.env" empty:"" placeholder:"FILE" help:"file for addresses, ids and tokens, written when ready; empty for none"`
	SeedUsers int    `default:"0" placeholder:"N" help:"register N more users with a picture each"`
	SeedBytes int    `default:"4096" placeholder:"N" help:"size of such a picture, about N bytes"`
}

func (flags *devCommand) check() error {
	if err := checkDevListen(flags.Listen); err != nil {
		return err
	}
	if flags.SeedUsers < 0 || flags.SeedUsers > devMaxUsers {
		return usagef("--seed-users %d: expected 0 to %d", flags.SeedUsers, devMaxUsers)
	}
	if flags.SeedBytes < picture.MinSampleBytes || flags.SeedBytes > picture.MaxSampleBytes {
		return usagef("--seed-bytes %d: expected %d to %d", flags.SeedBytes, picture.MinSampleBytes, picture.MaxSampleBytes)
	}
	return nil
}

// devGrace is how long running calls may take to end: somebody has pressed a key and waits.
const devGrace = 5 * time.Second

func (flags *devCommand) Run(ctx context.Context, inv *Program) error {
	if err := flags.check(); err != nil {
		return err
	}
	return dev(ctx, inv, flags)
}

// dev runs the development server until ctx ends. A second signal then cuts off what is under way. The order matters: the listener
// gives the port that is part of the issuer's URL, and the environment file tells others that everything behind it answers.
func dev(ctx context.Context, inv *Program, flags *devCommand) (err error) {
	hurry, release := onSecondSignal(ctx, endingSignals()...)
	defer release()
	log := server.NewLogWriter(inv.Stderr)
	defer log.Close()
	logger := devLogger(log)
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", flags.Listen)
	if err != nil {
		return listeningFailed(err, "choose another one with --listen 127.0.0.1:0")
	}
	defer func() { _ = ln.Close() }() // again, when it was served
	dir, remove, err := flags.directory(logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	url := "http://" + devAddress(flags.Listen, ln)
	place, stopServers, err := flags.place(ctx, inv, dir, url+devProviderPath, logger)
	if err != nil {
		return err
	}
	defer stopServers()
	store, err := place.Open(ctx, storage.OpenOptions{Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := flags.removeEnvFile(); err != nil { // not before the directory is ours: the file may be that of another dev on it
		return err
	}
	run := &devRun{Program: inv, flags: flags, store: store, logger: logger, url: url, dir: dir, issuer: devIssuerKey}
	if flags.Cluster {
		run.issuer = url + devProviderPath
	}
	return run.serve(ctx, hurry, ln, place.ControlDir())
}

// devRun is one run of dev whose store is open.
type devRun struct {
	*Program
	flags  *devCommand
	store  storage.Engine
	logger *slog.Logger
	url    string // of server and provider
	dir    string // of the data
	issuer string // under which people are on record
}

// serve registers people, and serves them and their provider until ctx ends. The admin socket is in the directory control.
func (r *devRun) serve(ctx, hurry context.Context, ln net.Listener, control string) error {
	provider, seeded, err := devidp.Seed(devidp.Config{Issuer: r.url + devProviderPath, AllowedOrigin: isDevOrigin})
	if err != nil {
		return err
	}
	if r.issuer != devIssuerKey {
		if err := giveToIssuer(ctx, r.store, r.issuer); err != nil {
			return err
		}
	}
	if err := r.seed(ctx, seeded); err != nil {
		if ctx.Err() != nil {
			return nil // stopped by a signal; the next start on the same data seeds the rest
		}
		return err
	}
	srv, err := r.newServer(seeded)
	if err != nil {
		return err
	}
	stopAdmin, err := admin.Serve(control, &admin.Server{Store: r.store, Issuer: r.issuer, Logger: r.logger})
	if err != nil {
		return err
	}
	defer stopAdmin()
	vars := devVariables(r.url, seeded, r.flags.SeedUsers)
	cleanUp := func() {}
	defer func() { cleanUp() }()
	httpServer := server.NewHTTPServer(devHandler(strings.TrimPrefix(r.url, "http://"), provider.Handler(), srv.Handler()), r.logger)
	return serveUntil(ctx, hurry, httpServer, ln, func() error {
		if err := awaitAnswer(ctx, r.url+"/readyz"); err != nil {
			return err
		}
		if r.flags.EnvFile != "" {
			if err := writeEnvFile(r.flags.EnvFile, vars); err != nil {
				return fmt.Errorf("environment file: %w", err)
			}
			cleanUp = func() { forgetEnvFile(r.flags.EnvFile, vars) }
		}
		if err := r.printReady(ctx, vars); err != nil || !r.flags.Cluster {
			return err
		}
		return printDevCluster(r.Stdout, filepath.Join(r.dir, devClusterName))
	})
}

// devLogger begins the log.
func devLogger(log *server.LogWriter) *slog.Logger {
	logger := slog.New(slog.NewTextHandler(log, nil))
	log.Tell(logger)
	if err := disableCoreDumps(); err != nil {
		logger.Warn("starting", "error", err)
	}
	return logger
}

// removeEnvFile removes what an earlier start left.
func (flags *devCommand) removeEnvFile() error {
	if flags.EnvFile == "" {
		return nil
	}
	if err := removeEnvFile(flags.EnvFile); err != nil {
		return fmt.Errorf("environment file: %w", err)
	}
	return nil
}

// directory returns where the data is kept, and what removes it at the end.
func (flags *devCommand) directory(logger *slog.Logger) (dir string, remove func() error, err error) {
	if flags.Data != "" {
		return flags.Data, func() error { return nil }, nil
	}
	sweepTempDirs(os.TempDir(), devTempPrefix, logger)
	temp, err := newTempDir("", devTempPrefix)
	if err != nil {
		return "", nil, err
	}
	return temp.dir, temp.remove, nil
}

// newServer returns the server, which asks the provider behind the same port over loopback HTTP like any other.
func (r *devRun) newServer(seeded *devidp.Seeded) (*server.Server, error) {
	authenticator, err := authz.NewIntrospector(authz.IntrospectionConfig{
		UserAgent:    "avatard/" + version(),
		Issuer:       seeded.Issuer,
		ClientID:     seeded.Client.ID,
		ClientSecret: seeded.Client.Secret,
		Audience:     seeded.Audience,
		ProjectID:    seeded.Audience,
		CacheTTL:     config.Default().CacheTTL,
		Timeout:      config.Default().IntrospectionTimeout,
		Logger:       r.logger,
	})
	if err != nil {
		return nil, err
	}
	return server.New(server.Config{
		Store:         r.store,
		Issuer:        r.issuer,
		Authenticator: authenticator,
		Permissions:   authz.NewClaims(devPolicy()),
		Logger:        r.logger,
		Realm:         config.Default().Realm,
		PublicAssets:  true,
		Checks: []server.Check{
			{Name: "erasures", Ready: r.store.ErasuresDone, Advisory: true},
			{Name: "uploads", Ready: r.store.RoomForUploads, Advisory: true},
		},
		AllowedOrigin: isDevOrigin,
		Version:       version(),
		Page:          true,
		SignIn: func(context.Context) *reference.SignIn {
			return &reference.SignIn{Issuer: seeded.Issuer, AuthorizationURL: seeded.Issuer + "/authorize", TokenURL: seeded.Issuer + "/oauth/token",
				RevocationURL: seeded.Issuer + "/revoke", ClientID: seeded.ApplicationID, Scopes: server.ZitadelScopes(seeded.Audience)}
		},
	})
}

// devPolicy is the default table with the reference's instance-wide administrator added.
func devPolicy() authz.Policy {
	p := authz.DefaultPolicy()
	p.InstanceOrganization = devidp.OrgAcme
	p.InstanceRoles = map[string][]authz.Permission{"IAM_OWNER": config.Permissions()}
	return p
}

// devHandler puts provider and server behind one port, whose address is host.
func devHandler(host string, provider, avatars http.Handler) http.Handler {
	return onlyDevHosts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == devProviderPath || strings.HasPrefix(r.URL.Path, devProviderPath+"/") {
			// The provider's multiplexer would redirect, perhaps to another operation, and it decodes what nobody needs encoded.
			if path.Clean(r.URL.Path) != r.URL.Path || r.URL.RawPath != "" {
				http.NotFound(w, r)
				return
			}
			provider.ServeHTTP(w, r)
			return
		}
		// The provider knows this server by one address only, and a page of another one could get no token from it.
		if r.Method == http.MethodGet && r.Host != host {
			switch r.URL.Path {
			case "/":
				http.Redirect(w, r, "http://"+host+"/", http.StatusFound)
				return
			case "/docs":
				http.Redirect(w, r, "http://"+host+"/docs", http.StatusFound)
				return
			}
		}
		avatars.ServeHTTP(w, r)
	}))
}

// serveUntil serves until ctx ends, and lets running calls end then for devGrace or until hurry ends. It calls ready at once;
// a request that ready sends is answered.
func serveUntil(ctx, hurry context.Context, srv *http.Server, ln net.Listener, ready func() error) error {
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	failed := ready()
	if failed == nil {
		select {
		case failed = <-done:
			return fmt.Errorf("serving: %w", failed)
		case <-ctx.Done():
		}
	} else if ctx.Err() != nil {
		failed = nil // stopped before it was ready
	}
	grace, cancel := context.WithTimeout(hurry, devGrace)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		_ = srv.Close() // cuts off what is left
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		failed = errors.Join(failed, err)
	}
	return failed
}

// awaitAnswer asks a listener that is open already; the answer comes as soon as somebody serves it.
func awaitAnswer(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: this is loopback
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("the server is not ready: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

func devVariables(url string, seeded *devidp.Seeded, seedUsers int) []variable {
	vars := []variable{{"AVATARD_URL", url}, {"GRPC_ADDRESS", strings.TrimPrefix(url, "http://")}}
	for _, v := range seeded.Variables() {
		vars = append(vars, variable{v.Name, v.Value})
	}
	if seedUsers > 0 {
		vars = append(vars,
			variable{"SEED_FIRST_USER", strconv.Itoa(devSeedFirst)},
			variable{"SEED_COUNT", strconv.Itoa(seedUsers)})
	}
	return vars
}
