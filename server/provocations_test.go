package server

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/server/picture"
	"example.org/avatard/server/reference"
	"example.org/avatard/storage"
	"example.org/avatard/storage/erasure"
)

// provocation makes a call fail for one reason. Without it the call succeeds.
type provocation struct {
	arrange func(*exampleServer) (undo func())
	token   string   // in place of the one that may make the call
	headers []string // name, value, …
	id      string   // in the path, in place of the example's
	page    string   // the page of a list
	query   string
	body    []byte // in place of a picture
}

// provocations are those of every reason that the reference names.
var provocations = map[reason]provocation{
	internal:            {arrange: storeFails(errors.New(secret))},
	noToken:             {token: "-"},
	malformedToken:      {headers: []string{"Authorization", "Bearer one-more-token"}},
	invalidToken:        {token: "nonsense-1"},
	impersonation:       {arrange: tokenFails(authz.ErrImpersonation)},
	unknownOrganization: {headers: []string{"X-Zitadel-Orgid", "1"}},
	noOrganization:      {token: "homeless-token-1"},
	noHomeOrganization:  {token: "homeless-token-1"},
	noMembership:        {token: "nobody-token-1"},
	noPermission:        {token: "powerless-token-1"},
	invalidRequest:      {id: "a%01b", headers: []string{"Grpc-Timeout", "x", "Connect-Timeout-Ms", "x"}},
	badPictureQuery:     {query: "?size=3"},
	uploadTooLarge:      {body: make([]byte, 1<<20)},
	otherOrganization:   {token: "moved-token-1"},
	conditionFailed:     {headers: []string{"If-Match", `"another"`}},
	unknownUser:         {id: "2", token: "new-token-1"},
	noPicture:           {id: bob, token: "bob-token-1"},
	unavailable:         {arrange: storeFails(storage.ErrUnavailable)},
	crowded:             {arrange: storeFails(errCrowded)},
	tooManyUnknown:      {arrange: tokenFails(authz.ErrRateLimited)},
	overLimit: {arrange: func(s *exampleServer) func() {
		before, spent := s.server.byAddress, limit.NewRateLimiter[netip.Addr](limit.Rate{PerSecond: 1e-9, Burst: 1}, 8, time.Now)
		spent.Allow(netip.MustParseAddr("127.0.0.1"))
		s.server.byAddress = spent
		return func() { s.server.byAddress = before }
	}},
	overloaded: {arrange: func(s *exampleServer) func() {
		before := s.server.calls.max
		s.server.calls.max = load{}
		return func() { s.server.calls.max = before }
	}},
	userEnded:                 {arrange: storeFails(storage.ErrUserEnded)},
	organizationEnded:         {arrange: storeFails(storage.ErrOrganizationEnded)},
	endLifted:                 {arrange: storeFails(erasure.ErrLifted)},
	otherOrganizationRepeated: {id: "1"},
	configuredOrganization: {arrange: func(s *exampleServer) func() {
		s.server.config.StartOrganizations = []string{reference.ExampleOrganization}
		return func() { s.server.config.StartOrganizations = nil }
	}},
	unknownReceipt: {id: "5"},
	unknownHistory: {arrange: storeFails(storage.ErrNoHistory)},
	badPageToken:   {page: "of-another-list"},
	deadlinePassed: {headers: []string{"Grpc-Timeout", "1n", "Connect-Timeout-Ms", "0"}},
	unknownCoding:  {headers: []string{"Content-Encoding", "br"}},
}

// exampleServer is a server on which the examples of the reference are true.
type exampleServer struct {
	*fixture
	storeError, tokenError error  // what store and authenticator fail with; nil: they do not
	receipt                string // of the user of the examples
}

// prepare gives the user of the examples a picture, after whatever was done to them and their organisation, and a receipt.
func (s *exampleServer) prepare(t *testing.T) {
	t.Helper()
	ctx, again := t.Context(), storage.Origin{Caller: "test", Readmits: true}
	_, err := s.store.AddOrganization(ctx, reference.ExampleOrganization, again)
	for _, user := range []storage.UserKey{exampleKey, s.key(bob)} {
		if err == nil {
			_, _, err = s.store.AddUser(ctx, user, reference.ExampleOrganization, again)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.give(t, reference.ExampleUser, reference.ExampleOrganization)
	res, err := s.store.Put(ctx, storage.Upload{User: exampleKey, Organization: reference.ExampleOrganization,
		Picture: storage.Picture{Format: storage.PNG, Data: picture.Sample(8, 2000)}})
	if err != nil {
		t.Fatal(err)
	}
	s.receipt = res.Receipt
}

func storeFails(err error) func(*exampleServer) func() {
	return func(s *exampleServer) func() {
		s.storeError = err
		return func() { s.storeError = nil }
	}
}

func tokenFails(err error) func(*exampleServer) func() {
	return func(s *exampleServer) func() {
		s.tokenError = err
		return func() { s.tokenError = nil }
	}
}

// exampleStore fails in what calls need.
type exampleStore struct {
	storage.Store
	of *exampleServer
}

func (s exampleStore) Put(ctx context.Context, up storage.Upload) (storage.Result, error) {
	if s.of.storeError != nil {
		return storage.Result{}, s.of.storeError
	}
	return s.Store.Put(ctx, up)
}

func (s exampleStore) Remove(ctx context.Context, r storage.Removal) (storage.Result, error) {
	if s.of.storeError != nil {
		return storage.Result{}, s.of.storeError
	}
	return s.Store.Remove(ctx, r)
}

func (s exampleStore) Get(ctx context.Context, user storage.UserKey, org string) (storage.Picture, error) {
	if s.of.storeError != nil {
		return storage.Picture{}, s.of.storeError
	}
	return s.Store.Get(ctx, user, org)
}

func (s exampleStore) EraseUser(ctx context.Context, r storage.Removal) (storage.Result, error) {
	if s.of.storeError != nil {
		return storage.Result{}, s.of.storeError
	}
	return s.Store.EraseUser(ctx, r)
}

func (s exampleStore) EndOrganization(ctx context.Context, org string, by storage.Origin) (bool, error) {
	if s.of.storeError != nil {
		return false, s.of.storeError
	}
	return s.Store.EndOrganization(ctx, org, by)
}

func (s exampleStore) Stat(ctx context.Context, user storage.UserKey, org string) (storage.Info, error) {
	if s.of.storeError != nil {
		return storage.Info{}, s.of.storeError
	}
	return s.Store.Stat(ctx, user, org)
}

func (s exampleStore) ListUsers(ctx context.Context, q storage.UserQuery) (storage.UserPage, error) {
	if s.of.storeError != nil {
		return storage.UserPage{}, s.of.storeError
	}
	return s.Store.ListUsers(ctx, q)
}

func (s exampleStore) Receipt(ctx context.Context, id string) (storage.Receipt, error) {
	if s.of.storeError != nil {
		return storage.Receipt{}, s.of.storeError
	}
	return s.Store.Receipt(ctx, id)
}

func (s exampleStore) ListReceipts(ctx context.Context, q storage.ReceiptQuery) (storage.ReceiptPage, error) {
	if s.of.storeError != nil {
		return storage.ReceiptPage{}, s.of.storeError
	}
	return s.Store.ListReceipts(ctx, q)
}

func (s exampleStore) ReceiptHead(ctx context.Context) (storage.SignedHead, error) {
	if s.of.storeError != nil {
		return storage.SignedHead{}, s.of.storeError
	}
	return s.Store.ReceiptHead(ctx)
}

// exampleTokens knows the callers of tests and those of the examples.
type exampleTokens struct{ of *exampleServer }

func (a exampleTokens) Authenticate(ctx context.Context, header http.Header) (authz.Identity, error) {
	if a.of.tokenError != nil {
		return authz.Identity{}, a.of.tokenError
	}
	who := people()
	maps.Copy(who, map[string]authz.Identity{
		"example-token-1":   {Issuer: issuer, Subject: reference.ExampleUser, Organization: reference.ExampleOrganization},
		"moved-token-1":     {Issuer: issuer, Subject: reference.ExampleUser, Organization: globex},
		"bob-token-1":       {Issuer: issuer, Subject: bob, Organization: acme, Roles: map[string][]string{"ORG_OWNER": {acme}}},
		"powerless-token-1": {Issuer: issuer, Subject: "5", Organization: acme, Roles: map[string][]string{"ORG_PROJECT_CREATOR": {acme}}},
	})
	return tokens(who).Authenticate(ctx, header)
}

// startExamples starts a server on which the user of the examples is registered.
func startExamples(t *testing.T, public bool) *exampleServer {
	t.Helper()
	s := new(exampleServer)
	s.fixture = start(t, func(c *Config) {
		c.PublicAssets, c.Authenticator, c.Store = public, exampleTokens{s}, exampleStore{c.Store, s}
		if _, _, err := c.Store.AddUser(t.Context(), exampleKey, reference.ExampleOrganization, storage.Origin{Caller: "test"}); err != nil {
			t.Fatal(err)
		}
	})
	return s
}

// exampleKey is that of the user of the examples.
var exampleKey = storage.UserKey{Issuer: issuer, ID: reference.ExampleUser}
