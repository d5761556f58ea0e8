package server

import (
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"example.org/avatard/authz"
	"example.org/avatard/authz/authztest"
	"example.org/avatard/authz/devidp"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest/memory"
	"example.org/avatard/test/client"
)

// development is a server with the callers of the development provider.
type development struct {
	*fixture
	provider *authztest.Provider
	methods  map[string]protoreflect.MethodDescriptor // by the paths of their procedures
	receipts map[string]string                        // one of each organisation
	callers  []authz.Identity                         // those whose tokens are good
	portrait []byte
}

// startDevelopment starts a server whose callers are those of "avatard dev", with a store in memory.
func startDevelopment(t *testing.T) *development {
	t.Helper()
	s := &development{provider: authztest.New(t, nil), methods: map[string]protoreflect.MethodDescriptor{}, receipts: map[string]string{},
		portrait: picture.Sample(7, picture.MinSampleBytes)}
	introspector, err := authz.NewIntrospector(authz.IntrospectionConfig{Issuer: s.provider.Issuer, ClientID: s.provider.Client.ID, ClientSecret: s.provider.Client.Secret,
		Audience: s.provider.Audience, ProjectID: s.provider.Audience, CacheTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for name := range admitted {
		caller, err := introspector.Authenticate(t.Context(), client.Bearer(s.provider.Tokens[name]))
		if err != nil {
			t.Fatal(err)
		}
		s.callers = append(s.callers, caller)
	}
	policy := authz.DefaultPolicy()
	policy.InstanceOrganization, policy.InstanceRoles = devidp.OrgAcme, map[string][]authz.Permission{"IAM_OWNER": everything}
	store, err := memory.New("").Open(t.Context(), "callers", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.fixture = start(t, func(c *Config) {
		c.Store, c.Issuer, c.Authenticator, c.Permissions, c.PublicAssets = store, s.provider.Issuer, introspector, authz.NewClaims(policy), false
	})
	s.store = store
	for _, service := range s.server.surface().services {
		for method := range methodsOf(service.descriptor) {
			s.methods["/"+string(service.descriptor.FullName())+"/"+string(method.Name())] = method
		}
	}
	return s
}

// target is the user whom calls in an organisation are about.
func (s *development) target(org string) string {
	if org == devidp.OrgGlobex {
		return devidp.UserCarol
	}
	return devidp.UserAlice
}

// prepare registers everybody who can call, and the targets, with a picture, whatever a call has done to them before.
func (s *development) prepare(t *testing.T) {
	t.Helper()
	ctx, again := t.Context(), storage.Origin{Caller: "test", Readmits: true}
	portrait := storage.Picture{Format: storage.PNG, Data: s.portrait}
	give := func(user, org string) storage.Result {
		key := storage.UserKey{Issuer: s.provider.Issuer, ID: user}
		if _, _, err := s.store.AddUser(ctx, key, org, again); err != nil {
			t.Fatal(err)
		}
		res, err := s.store.Put(ctx, storage.Upload{User: key, Organization: org, Picture: portrait})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	for _, org := range []string{devidp.OrgAcme, devidp.OrgGlobex} {
		if _, err := s.store.AddOrganization(ctx, org, again); err != nil {
			t.Fatal(err)
		}
		give(s.target(org), org)
		s.receipts[org] = give(s.target(org), org).Receipt
	}
	for _, caller := range s.callers {
		give(caller.Subject, caller.Organization)
	}
}
