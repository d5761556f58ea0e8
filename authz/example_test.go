package authz_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"example.org/avatard/authz"
	"example.org/avatard/authz/authztest"
	"example.org/avatard/authz/devidp"
)

// A request is identified by its token, which the provider is asked about, and then permitted by the roles in it.
func Example() {
	provider, err := authztest.Start(nil) // a provider on loopback, in place of yours
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.ClosePort()

	introspector, err := authz.NewIntrospector(authz.IntrospectionConfig{
		Issuer:       provider.Issuer,
		ClientID:     provider.Client.ID,
		ClientSecret: provider.Client.Secret,
		Audience:     provider.Audience,
		ProjectID:    provider.Audience,
		CacheTTL:     authz.DefaultCacheTTL,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	permissions := authz.NewClaims(authz.DefaultPolicy())

	for _, name := range []string{"TOKEN_MANAGER", "TOKEN_VIEWER", "TOKEN_EXPIRED"} {
		header := http.Header{"Authorization": {"Bearer " + provider.Tokens[name]}}
		caller, err := introspector.Authenticate(context.Background(), header)
		if errors.Is(err, authz.ErrInvalidToken) {
			fmt.Println(name, "is refused:", authz.Refused(err).Reason)
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		grant, err := permissions.Grant(context.Background(), caller, devidp.OrgAcme)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, "may write:", slices.Contains(grant.Allowed, authz.UserWrite))
	}
	// Output:
	// TOKEN_MANAGER may write: true
	// TOKEN_VIEWER may write: false
	// TOKEN_EXPIRED is refused: inactive
}
