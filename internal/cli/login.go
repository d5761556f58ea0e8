package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"example.org/avatard/internal/client"
	"example.org/avatard/internal/login"
)

// loginCommand is "login".
type loginCommand struct {
	serverFlags
	Issuer    string   `placeholder:"URL" help:"identity provider to sign in at; without it the one that the server names"`
	ClientID  string   `name:"client-id" placeholder:"ID" help:"public client to sign in as, which may come back to /callback on any port of 127.0.0.1; with --issuer"`
	Scope     []string `type:"repeated" placeholder:"SCOPE" help:"scope to ask for; may be given several times; without it those that the server names, or openid"`
	NoBrowser bool     `name:"no-browser" help:"print the address alone; without it a browser is opened where there is a terminal"`
	Timeout   string   `default:"5m" placeholder:"TIME" help:"how long to wait for somebody to sign in"`
}

// logoutCommand is "logout".
type logoutCommand struct{ serverFlags }

// logins is where logins are kept.
func (p *Program) logins() (login.Store, error) {
	dir, err := p.configDir()
	return login.Store{Dir: filepath.Join(dir, "logins")}, err
}

// loggedIn returns the tokens of the login at a server; nil when there is none.
func (p *Program) loggedIn(server string) (client.Tokens, error) {
	store, err := p.logins()
	if err != nil {
		return nil, nil //nolint:nilerr // without a home directory there is no login
	}
	if _, err := store.Load(server); err != nil {
		if errors.Is(err, login.ErrNone) {
			return nil, nil
		}
		return nil, err
	}
	now := p.Now
	if now == nil {
		now = time.Now
	}
	return &login.Source{Store: store, Server: server, HTTP: client.NewHTTPClient(), Now: now}, nil
}

// Run signs somebody in and keeps the tokens for other commands.
func (flags *loginCommand) Run(ctx context.Context, inv *Program) error {
	limit, err := parseTimeout(flags.Timeout)
	if err != nil {
		return err
	}
	if (flags.Issuer == "") != (flags.ClientID == "") {
		return usagef("--issuer and --client-id go together")
	}
	server, err := flags.address(inv)
	if err != nil {
		return err
	}
	store, err := inv.logins()
	if err != nil {
		return fmt.Errorf("login: %w to keep it in", err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	hc := client.NewHTTPClient()
	provider, err := flags.provider(ctx, server)
	if err == nil {
		provider, err = login.Discover(ctx, hc, provider)
	}
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	tokens, err := login.Run(ctx, login.Request{Provider: provider, HTTP: hc, Show: func(address string) error { return flags.show(inv, provider, address) }})
	if err == nil {
		err = store.Save(login.Login{Server: server, Provider: provider, Tokens: tokens})
	}
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	until := ""
	if !tokens.Expires.IsZero() {
		until = tokens.Expires.Format(time.RFC3339)
	}
	refreshed := "no"
	if tokens.Refresh != "" {
		refreshed = "yes"
	}
	return printFacts(inv.Stdout, "You are logged in at "+server+".", []fact{{"server", server}, {"provider", provider.Issuer}, {"until", until}, {"refreshed", refreshed}})
}

// provider returns the provider to sign in at, without its endpoints.
func (flags *loginCommand) provider(ctx context.Context, server string) (login.Provider, error) {
	p := login.Provider{Issuer: flags.Issuer, ClientID: flags.ClientID, Scopes: []string{"openid"}}
	if flags.Issuer == "" {
		var err error
		if p, err = login.OfServer(ctx, client.NewHTTPClient(), server); err != nil {
			if errors.Is(err, login.ErrNoSignIn) {
				err = fmt.Errorf("%w: set page.client_id there, or name --issuer and --client-id here", err)
			}
			return p, err
		}
	}
	if len(flags.Scope) > 0 {
		p.Scopes = flags.Scope
	}
	return p, nil
}

// show tells where to sign in, and opens a browser there where somebody sits at a terminal.
func (flags *loginCommand) show(inv *Program, provider login.Provider, address string) error {
	if _, err := fmt.Fprintf(inv.Stderr, "Sign in at %s; open this address in a browser of this machine:\n\n  %s\n\n", provider.Issuer, address); err != nil {
		return err
	}
	if flags.NoBrowser || !isTerminal(inv.Stderr) || !isTerminal(inv.Stdin) {
		return nil
	}
	openBrowser(address)
	return nil
}

// openBrowser tries to. The address has been printed, so nothing is lost where there is no browser.
func openBrowser(address string) {
	opener := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		opener[0] = "open"
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	cmd := exec.Command(opener[0], opener[1:]...) //nolint:gosec,noctx // a program of the desktop, which outlives this one
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
}

// Run forgets the login, and asks the provider to end its tokens.
func (flags *logoutCommand) Run(ctx context.Context, inv *Program) error {
	server, err := flags.address(inv)
	if err != nil {
		return err
	}
	store, err := inv.logins()
	if err != nil {
		return fmt.Errorf("logout: %w", err)
	}
	revoked, err := store.End(ctx, client.NewHTTPClient(), server)
	if errors.Is(err, login.ErrNone) {
		return fmt.Errorf("logout: %w at %s", err, server)
	}
	if err != nil {
		return fmt.Errorf("logout: %w", err)
	}
	ended := "no"
	if revoked {
		ended = "yes"
	}
	return printFacts(inv.Stdout, "You are logged out of "+server+".", []fact{{"server", server}, {"revoked", ended}})
}
