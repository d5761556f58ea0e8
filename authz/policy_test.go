package authz

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPolicyGrant(t *testing.T) {
	const instance, acme, globex = "instance", "acme", "globex"
	policy := DefaultPolicy()
	policy.InstanceOrganization = instance
	policy.InstanceRoles = map[string][]Permission{"IAM_OWNER": {UserWrite, UserRead}, "IAM_NOBODY": nil}
	all := []Permission{OrgDelete, UserDelete, UserRead, UserWrite}

	for _, row := range []struct {
		why   string
		roles map[string][]string
		org   string
		want  Grant
	}{
		{"no role at all", nil, acme, Grant{}},
		{"owner where the role was granted", map[string][]string{"ORG_OWNER": {acme}}, acme, Grant{true, all}},
		{"owner elsewhere", map[string][]string{"ORG_OWNER": {globex}}, acme, Grant{}},
		{"owner of several", map[string][]string{"ORG_OWNER": {globex, acme}}, acme, Grant{true, all}},
		{"user manager", map[string][]string{"ORG_USER_MANAGER": {acme}}, acme, Grant{true, []Permission{UserDelete, UserRead, UserWrite}}},
		{"viewer", map[string][]string{"ORG_OWNER_VIEWER": {acme}}, acme, Grant{true, []Permission{UserRead}}},
		{"a role the policy does not know makes a member", map[string][]string{"COOK": {acme}}, acme, Grant{Member: true}},
		{"role names are compared exactly", map[string][]string{"org_owner": {acme}}, acme, Grant{Member: true}},
		{"organisation ids are compared exactly", map[string][]string{"ORG_OWNER": {"Acme", "acme "}}, acme, Grant{}},
		{"several roles add up, each permission once", map[string][]string{"ORG_OWNER_VIEWER": {acme}, "ORG_USER_MANAGER": {acme}}, acme,
			Grant{true, []Permission{UserDelete, UserRead, UserWrite}}},
		{"instance-wide role granted in the instance organisation", map[string][]string{"IAM_OWNER": {instance}}, acme, Grant{true, []Permission{UserRead, UserWrite}}},
		{"and there itself", map[string][]string{"IAM_OWNER": {instance}}, instance, Grant{true, []Permission{UserRead, UserWrite}}},
		{"instance-wide role granted in another organisation", map[string][]string{"IAM_OWNER": {globex}}, acme, Grant{}},
		{"not even in that organisation, where it only makes a member", map[string][]string{"IAM_OWNER": {globex}}, globex, Grant{Member: true}},
		{"an ordinary role granted in the instance organisation", map[string][]string{"ORG_OWNER": {instance}}, acme, Grant{}},
		{"instance-wide role without permissions", map[string][]string{"IAM_NOBODY": {instance}}, acme, Grant{Member: true}},
		{"no organisation asked for", map[string][]string{"ORG_OWNER": {""}, "IAM_OWNER": {instance}}, "", Grant{}},
	} {
		got := policy.Grant(Identity{Subject: "u", Organization: acme, Roles: row.roles}, row.org)
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: Grant(%v, %q) (-want +got):\n%s", row.why, row.roles, row.org, diff)
		}
	}
}

func TestPolicyWithoutInstanceOrganization(t *testing.T) {
	policy := Policy{InstanceRoles: map[string][]Permission{"IAM_OWNER": {UserWrite}}}
	id := Identity{Roles: map[string][]string{"IAM_OWNER": {"", "acme"}}}
	if got := policy.Grant(id, "globex"); got.Member || got.Allowed != nil {
		t.Errorf("Grant = %+v, want nothing", got)
	}
}

func TestDefaultPolicyHasNoInstanceRole(t *testing.T) {
	p := DefaultPolicy()
	if p.InstanceOrganization != "" || len(p.InstanceRoles) != 0 {
		t.Errorf("DefaultPolicy() = %+v, want no instance-wide role", p)
	}
	if got := p.Grant(Identity{Roles: map[string][]string{"IAM_OWNER": {"acme"}}}, "globex"); got.Member {
		t.Errorf("Grant = %+v, want nothing", got)
	}
}

func TestClaimsKeepsItsOwnPolicy(t *testing.T) {
	p := DefaultPolicy()
	claims := NewClaims(p)
	p.Roles["COOK"] = []Permission{UserWrite}
	p.Roles["ORG_OWNER_VIEWER"][0] = OrgDelete

	id := Identity{Roles: map[string][]string{"COOK": {"acme"}, "ORG_OWNER_VIEWER": {"acme"}}}
	got, err := claims.Grant(t.Context(), id, "acme")
	if diff := cmp.Diff(Grant{true, []Permission{UserRead}}, got); err != nil || diff != "" {
		t.Errorf("Grant: %v (-want +got):\n%s", err, diff)
	}
}
