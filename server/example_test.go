package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// alice is an authenticator that takes every caller for Alice, of the organisation acme.
type alice struct{}

func (alice) Authenticate(context.Context, http.Header) (authz.Identity, error) {
	return authz.Identity{Issuer: "https://id.example", Subject: "alice", Organization: "acme"}, nil
}

// A server is an http.Handler over a store, an authenticator and a source of permissions.
func ExampleNew() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	_, _, err = store.AddUser(ctx, storage.UserKey{Issuer: "https://id.example", ID: "alice"}, "acme", storage.Origin{Caller: "example"})
	if err != nil {
		panic(err)
	}

	avatars, err := server.New(server.Config{
		Store: store, Issuer: "https://id.example", Authenticator: alice{}, Permissions: authz.NewClaims(authz.DefaultPolicy()),
	})
	if err != nil {
		panic(err)
	}

	res := httptest.NewRecorder()
	avatars.Handler().ServeHTTP(res, httptest.NewRequest(http.MethodDelete, "/auth/v1/users/me/avatar", nil))
	fmt.Println(res.Code, res.Header().Get("Content-Type"))
	// Output: 200 application/json
}
