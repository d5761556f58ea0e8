package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/authz/authztest"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
	"example.org/avatard/test/client"
)

// withDirectory is a server without users whose provider is asked what callers may do, and about users.
type withDirectory struct {
	*fixture
	provider *authztest.Provider
}

func startWithDirectory(t *testing.T, change func(*Config)) *withDirectory {
	t.Helper()
	d := &withDirectory{provider: authztest.New(t, nil)}
	introspector, err := authz.NewIntrospector(authz.IntrospectionConfig{Issuer: d.provider.Issuer, ClientID: d.provider.Client.ID, ClientSecret: d.provider.Client.Secret,
		Audience: d.provider.Audience, CacheTTL: time.Hour, CarryToken: true, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	permissions, err := authz.NewProviderPermissions(introspector)
	if err != nil {
		t.Fatal(err)
	}
	users, err := authz.NewProviderUsers(introspector)
	if err != nil {
		t.Fatal(err)
	}
	store, err := memory.New("").Open(t.Context(), "directory", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	d.fixture = start(t, func(c *Config) {
		c.Store, c.Issuer, c.Authenticator, c.Permissions, c.UserDirectory = store, d.provider.Issuer, introspector, permissions, users
		if change != nil {
			change(c)
		}
	})
	d.store = store
	return d
}

func (d *withDirectory) key(user string) storage.UserKey {
	return storage.UserKey{Issuer: d.provider.Issuer, ID: user}
}

// as are the headers of the caller of a token, who acts in an organisation; "" = their own.
func (d *withDirectory) as(token, org string) []string {
	return inOrganization(d.provider.Tokens[token], org)
}

// remove deletes the picture of a user, and returns status and answer.
func (d *withDirectory) remove(t *testing.T, user string, headers []string) (int, string) {
	t.Helper()
	res, body := d.do(t, http.MethodDelete, client.UserPicturePath(user), nil, headers...)
	return res.StatusCode, body
}

// lookUps returns how often the provider was asked about a user.
func (d *withDirectory) lookUps(user string) int64 {
	return d.provider.Requests("/management/v1/users/" + user)
}

// registered returns the organisation that a user is registered in, "" = none.
func (d *withDirectory) registered(t *testing.T, user string) string {
	t.Helper()
	page, err := d.store.ListUsers(t.Context(), storage.UserQuery{ID: user})
	if err != nil {
		t.Fatal(err)
	}
	var orgs []string
	for _, found := range page.Users {
		orgs = append(orgs, found.Details.Organization)
	}
	return strings.Join(orgs, " ")
}

// registrations returns who registered a user.
func (d *withDirectory) registrations(t *testing.T, user string) (callers []string) {
	t.Helper()
	page, err := d.store.ListAudit(t.Context(), storage.AuditQuery{Target: user, Action: storage.ActionRegister})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		callers = append(callers, r.Caller)
	}
	return callers
}

// machine is somebody whom nobody has a picture of.
const machine = authztest.ManagerID
