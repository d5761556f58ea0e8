package prove

import (
	"errors"
	"net"
	"net/http"
	"time"

	"example.org/avatard/authz/devidp"
)

// Ids of the provider's only organisation, project, and accounts.
const (
	organization = "prove"
	project      = "avatard"
	introspector = "avatard-server"
	manager      = "manager"
)

// provider is an identity provider on loopback, in this process: its tokens outlive the server.
type provider struct {
	issuer string
	secret string // of the server
	token  string // of the caller, who may change every picture
	http   *http.Server
}

func startProvider() (*provider, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return nil, err
	}
	p := &provider{issuer: "http://" + ln.Addr().String() + "/idp"}
	idp, err := devidp.New(devidp.Config{
		Issuer:              p.issuer,
		ProjectID:           project,
		IntrospectionClient: devidp.Client{ID: introspector},
		Organizations:       []devidp.Organization{{ID: organization, Name: "Proof", Domain: "proof.example"}},
		Machines: []devidp.Account{{ID: manager, Login: manager, Name: "Manager", Organization: organization,
			Roles: map[string][]string{"ORG_USER_MANAGER": {organization}}}},
	})
	if err == nil {
		p.token, err = idp.Mint(devidp.TokenSpec{Subject: manager})
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	p.secret = idp.IntrospectionClient().Secret
	p.http = &http.Server{Handler: idp.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.http.Serve(ln) }() // until stop
	return p, nil
}

func (p *provider) stop() { _ = p.http.Close() }
