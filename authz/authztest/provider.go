package authztest

import (
	"net/http"
	"time"

	"example.org/avatard/authz/devidp"
)

// ManagerID is the machine of Acme behind TOKEN_MANAGER.
const ManagerID = "150317214593155202"

// Provider is the development provider with its seeded people and machines, on a port of its own behind a Server.
type Provider struct {
	*Server
	*devidp.Provider
	*devidp.Seeded
}

// Start starts a provider that is well, until ClosePort. now is its clock, nil = time.Now.
func Start(now func() time.Time) (*Provider, error) {
	p := new(Provider)
	var err error
	p.Server, err = start(func(url string) (_ http.Handler, err error) {
		if p.Provider, p.Seeded, err = devidp.Seed(devidp.Config{Issuer: url + "/idp", Now: now}); err != nil {
			return nil, err
		}
		return p.Handler(), nil
	})
	return p, err
}

// New is Start for a test, which also ends the provider.
func New(t TB, now func() time.Time) *Provider {
	t.Helper()
	p, err := Start(now)
	if err != nil {
		t.Fatal(err)
	}
	p.endWith(t)
	return p
}

// Settings returns what "avatard serve" has to be told about the provider: environment variables by name.
func (p *Provider) Settings() map[string]string {
	env := map[string]string{}
	for _, v := range p.Variables() {
		env[v.Name] = v.Value
	}
	return env
}
