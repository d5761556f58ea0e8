package authz

import (
	"context"
	"maps"
	"slices"
)

// Policy says which roles carry which permissions. It is data; [Policy.Grant] is the rule that reads it.
type Policy struct {
	// InstanceOrganization is the organisation in which instance-wide roles are granted. "" = no instance-wide
	// role counts, whatever InstanceRoles holds.
	InstanceOrganization string
	// Roles maps a role to its permissions in the organisation it was granted in, and nowhere else.
	Roles map[string][]Permission
	// InstanceRoles maps a role to its permissions in every organisation. It counts only where it was granted in
	// InstanceOrganization, since the owners of another organisation may grant a role of that name there. nil = none.
	InstanceRoles map[string][]Permission
}

// DefaultPolicy returns the table that holds unless an installation configures its own. It has no instance-wide role.
func DefaultPolicy() Policy {
	return Policy{Roles: map[string][]Permission{
		"ORG_OWNER":        {UserWrite, UserRead, UserDelete, OrgDelete},
		"ORG_USER_MANAGER": {UserWrite, UserRead, UserDelete},
		"ORG_OWNER_VIEWER": {UserRead},
	}}
}

// Grant returns what id may do in org. Membership of an organisation is any role granted in it, known to the policy
// or not, or an instance-wide role that counts. Belonging to an organisation gives no role in it.
func (p Policy) Grant(id Identity, org string) Grant {
	var g Grant
	if org == "" {
		return g
	}
	for role, orgs := range id.Roles {
		if slices.Contains(orgs, org) {
			g.Member = true
			g.Allowed = append(g.Allowed, p.Roles[role]...)
		}
		everywhere, ok := p.InstanceRoles[role]
		if ok && p.InstanceOrganization != "" && slices.Contains(orgs, p.InstanceOrganization) {
			g.Member = true
			g.Allowed = append(g.Allowed, everywhere...)
		}
	}
	slices.Sort(g.Allowed)
	g.Allowed = slices.Compact(g.Allowed)
	return g
}

// Claims is the [Source] that decides from the roles in the caller's token.
type Claims struct {
	policy Policy
}

// NewClaims returns a source with its own copy of p.
func NewClaims(p Policy) *Claims {
	p.Roles = clonePermissions(p.Roles)
	p.InstanceRoles = clonePermissions(p.InstanceRoles)
	return &Claims{policy: p}
}

// Grant never fails: everything it needs is in the identity.
func (c *Claims) Grant(_ context.Context, id Identity, org string) (Grant, error) {
	return c.policy.Grant(id, org), nil
}

func clonePermissions(m map[string][]Permission) map[string][]Permission {
	m = maps.Clone(m)
	for role, allowed := range m {
		m[role] = slices.Clone(allowed)
	}
	return m
}
