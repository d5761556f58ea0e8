package devidp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// What every start of "avatard dev" finds: these ids never change, so that a data directory can be used again.
// Secrets, keys and tokens do change.
const (
	OrgAcme    = "69629023906488334" // also the instance organisation
	OrgGlobex  = "69629023906488335"
	OrgInitech = "69629023906488336"

	UserAlice = "150317214593155073"
	UserBob   = "150317214593155074"
	UserCarol = "150317214593155075"
	UserDave  = "150317214593155076"
	UserErin  = "150317214593155077" // manages Acme

	seedProject     = "69629023906488340"
	seedClient      = "avatard-server"
	seedApplication = "avatard-app"
)

// Seeded is the world that Seed made.
type Seeded struct {
	Issuer string
	// Audience is the id of the project; tokens for the server carry it in aud.
	Audience string
	// Client is what the server introspects with.
	Client Client
	// ApplicationID is the public application for signing in on the login page.
	ApplicationID string
	Organizations []SeededOrganization
	// Users are the people; the machines have no record at the server.
	Users []SeededUser
	// Tokens holds the access tokens by the name of their variable, TOKEN_ADMIN and so on.
	Tokens map[string]string
}

// SeededOrganization is an organisation and the variable that names it.
type SeededOrganization struct {
	Variable string
	Organization
}

// SeededUser is a person and the variable that names them.
type SeededUser struct {
	Variable string
	Account
	// Avatar tells that the person has a picture at the start.
	Avatar bool
}

// Variable is one line of an environment file.
type Variable struct{ Name, Value string }

// Seed starts a provider with the fixed organisations, people and machines of "avatard dev" and makes their tokens.
// Of cfg it takes Issuer, RedirectURIs, AllowedOrigin, TokenLifetime, Now and Rand; the rest it fills in. Without RedirectURIs the
// application may come back to /callback and / on any loopback address and port.
func Seed(cfg Config) (*Provider, *Seeded, error) {
	organizations, users, machines := seedOrganizations(), seedUsers(), seedMachines()
	cfg.ProjectID = seedProject
	cfg.IntrospectionClient = Client{ID: seedClient}
	cfg.ApplicationID = seedApplication
	cfg.Organizations = nil
	for _, org := range organizations {
		cfg.Organizations = append(cfg.Organizations, org.Organization)
	}
	cfg.Permissions = seedPermissions()
	cfg.People = nil
	for _, user := range users {
		cfg.People = append(cfg.People, user.Account)
	}
	cfg.Machines = machines
	if cfg.RedirectURIs == nil {
		cfg.RedirectURIs = []string{"http://127.0.0.1/callback", "http://127.0.0.1/", "http://127.0.0.1"}
	}
	p, err := New(cfg)
	if err != nil {
		return nil, nil, err
	}

	specs := seedTokens(machines, p.cfg.Now())
	seeded := &Seeded{
		Issuer:        cfg.Issuer,
		Audience:      seedProject,
		Client:        p.IntrospectionClient(),
		ApplicationID: seedApplication,
		Organizations: organizations,
		Users:         users,
		Tokens:        make(map[string]string, len(specs)),
	}
	for name, spec := range specs {
		if seeded.Tokens[name], err = p.Mint(spec); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return p, seeded, nil
}

// seedOrganizations returns the fixed organisations.
func seedOrganizations() []SeededOrganization {
	return []SeededOrganization{
		{"ORG_ACME", Organization{OrgAcme, "Acme", "acme.example"}},
		{"ORG_GLOBEX", Organization{OrgGlobex, "Globex", "globex.example"}},
		{"ORG_INITECH", Organization{OrgInitech, "Initech", "initech.example"}},
	}
}

// seedUsers returns the fixed people.
func seedUsers() []SeededUser {
	return []SeededUser{
		{"USER_ALICE", Account{ID: UserAlice, Login: "alice", Name: "Alice", Organization: OrgAcme}, true},
		{"USER_BOB", Account{ID: UserBob, Login: "bob", Name: "Bob", Organization: OrgAcme}, false},
		{"USER_CAROL", Account{ID: UserCarol, Login: "carol", Name: "Carol", Organization: OrgGlobex}, true},
		{"USER_DAVE", Account{ID: UserDave, Login: "dave", Name: "Dave", Organization: OrgInitech}, true},
		{"USER_ERIN", Account{ID: UserErin, Login: "erin", Name: "Erin, who manages Acme", Organization: OrgAcme,
			Roles: map[string][]string{"ORG_USER_MANAGER": {OrgAcme}}}, false},
	}
}

// seedMachines returns the fixed machines, in the order that seedTokens expects.
func seedMachines() []Account {
	machine := func(number int, login, name, org string, roles map[string][]string) Account {
		return Account{ID: fmt.Sprintf("1503172145931552%02d", number), Login: login, Name: name, Organization: org, Roles: roles}
	}
	return []Account{
		machine(1, "admin", "Admin", OrgAcme, map[string][]string{"IAM_OWNER": {OrgAcme}}),
		machine(2, "manager", "Manager", OrgAcme, map[string][]string{"ORG_USER_MANAGER": {OrgAcme}}),
		machine(3, "viewer", "Viewer", OrgAcme, map[string][]string{"ORG_OWNER_VIEWER": {OrgAcme}}),
		machine(4, "nobody", "Nobody", OrgAcme, nil),
		machine(5, "globex-owner", "Owner of Globex", OrgAcme, map[string][]string{"ORG_OWNER": {OrgGlobex}}),
		machine(6, "globex-admin", "Admin at Globex", OrgGlobex, map[string][]string{"ORG_OWNER": {OrgGlobex}}),
	}
}

// seedTokens returns the tokens to make, by the name of their variable.
func seedTokens(machines []Account, now time.Time) map[string]TokenSpec {
	admin, manager, viewer, nobody, globexOwner, globexAdmin := machines[0].ID, machines[1].ID, machines[2].ID, machines[3].ID, machines[4].ID, machines[5].ID
	// The spoilt tokens are the admin's: nothing but the token itself can be why one is refused.
	return map[string]TokenSpec{
		"TOKEN_ADMIN":          {Subject: admin},
		"TOKEN_MANAGER":        {Subject: manager},
		"TOKEN_VIEWER":         {Subject: viewer},
		"TOKEN_NOBODY":         {Subject: nobody},
		"TOKEN_GLOBEX_OWNER":   {Subject: globexOwner},
		"TOKEN_GLOBEX_ADMIN":   {Subject: globexAdmin},
		"TOKEN_ALICE":          {Subject: UserAlice},
		"TOKEN_EXPIRED":        {Subject: admin, Expires: now.Add(-time.Hour)},
		"TOKEN_REVOKED":        {Subject: admin, Revoked: true},
		"TOKEN_WRONG_AUDIENCE": {Subject: admin, Audience: []string{"another-project"}},
		"TOKEN_OTHER_AUDIENCE": {Subject: admin, Audience: []string{seedClient}},
	}
}

// seedPermissions is what the roles of the seeded accounts allow, as far as avatars are concerned and a little beyond, as
// with a real provider.
func seedPermissions() Permissions {
	all := []string{"org.delete", "org.read", "user.delete", "user.read", "user.write"}
	return Permissions{
		Roles: map[string][]string{
			"ORG_OWNER":        all,
			"ORG_USER_MANAGER": {"org.read", "user.delete", "user.read", "user.write"},
			"ORG_OWNER_VIEWER": {"org.read", "user.read"},
		},
		InstanceRoles:        map[string][]string{"IAM_OWNER": append([]string{"iam.read"}, all...)},
		InstanceOrganization: OrgAcme,
	}
}

// Variables lists everything a client needs to know, in a fixed order. The scopes are one value with spaces between them.
func (s *Seeded) Variables() []Variable {
	vars := []Variable{
		{"AVATARD_ISSUER", s.Issuer},
		{"AVATARD_AUDIENCE", s.Audience},
		{"AVATARD_CLIENT_ID", s.Client.ID},
		{"AVATARD_CLIENT_SECRET", s.Client.Secret},
		{"LOGIN_CLIENT_ID", s.ApplicationID},
		{"LOGIN_SCOPES", strings.Join([]string{oidc.ScopeOpenID, oidc.ScopeProfile, ScopeOrganization, ScopeAudience(s.Audience)}, " ")},
	}
	for _, org := range s.Organizations {
		vars = append(vars, Variable{org.Variable, org.ID})
	}
	for _, user := range s.Users {
		vars = append(vars, Variable{user.Variable, user.ID})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tokens)) {
		vars = append(vars, Variable{name, s.Tokens[name]})
	}
	return vars
}
