package server

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"

	"example.org/avatard/authz"
	"example.org/avatard/storage"
)

// shelfStore keeps pictures in memory and has no users to refuse.
type shelfStore struct {
	storage.Store
	mu       sync.Mutex
	pictures map[string][]byte // by user
}

func (s *shelfStore) HasOrganization(context.Context, string) (bool, error) { return true, nil }
func (s *shelfStore) RecordRefusal(storage.Refusal)                         {}

func (s *shelfStore) Put(_ context.Context, up storage.Upload) (storage.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pictures[up.User.ID] = up.Picture.Data
	return storage.Result{Details: storage.Details{Sequence: 1, Organization: up.Organization}}, nil
}

func (s *shelfStore) Stat(_ context.Context, user storage.UserKey, org string) (storage.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.pictures[user.ID]
	if !ok {
		return storage.Info{}, nil
	}
	return storage.Info{Details: storage.Details{Organization: org}, Generation: "1", Format: storage.PNG, Size: int64(len(data))}, nil
}

func (s *shelfStore) Get(_ context.Context, user storage.UserKey, _ string) (storage.Picture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return storage.Picture{Generation: "1", Format: storage.PNG, Data: bytes.Clone(s.pictures[user.ID])}, nil
}

// serveShelf serves the whole surface on a shelfStore to clients that speak frame by frame.
//
// The header x-address is the address of a call.
func serveShelf(t *testing.T, pictures map[string][]byte, secure bool) (*Server, *frameServer) {
	t.Helper()
	s, err := New(Config{Store: &shelfStore{pictures: pictures}, Issuer: issuer, Authenticator: tokens(people()),
		Permissions: authz.NewClaims(authz.DefaultPolicy()), PublicAssets: true,
		ClientAddress: func(r *http.Request) string { return r.Header.Get("X-Address") }})
	if err != nil {
		t.Fatal(err)
	}
	return s, serveFrames(t, s.Handler().ServeHTTP, secure)
}
