package devidp

import (
	"context"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Names of claims as ZITADEL gives them.
const (
	claimOrganization       = "urn:zitadel:iam:user:resourceowner:id"
	claimOrganizationName   = "urn:zitadel:iam:user:resourceowner:name"
	claimOrganizationDomain = "urn:zitadel:iam:user:resourceowner:primary_domain"
	claimRoles              = "urn:zitadel:iam:org:project:roles"
)

// claimProjectRoles is the claim of the roles of one project; claimRoles does not say which project it speaks of.
func claimProjectRoles(projectID string) string {
	return "urn:zitadel:iam:org:project:" + projectID + ":roles"
}

// SetIntrospectionFromToken fills the answer of the introspection endpoint (RFC 7662 section 2.2). An error makes it
// a plain "inactive". The library sets active.
func (s *store) SetIntrospectionFromToken(_ context.Context, resp *oidc.IntrospectionResponse, id, subject, clientID string) error {
	t, err := s.liveToken(id, subject)
	if err != nil {
		return err
	}
	p := s.provider
	if clientID != p.cfg.IntrospectionClient.ID {
		return errInactive
	}
	audience := t.audience
	if t.client == "" {
		audience = append(slices.Clone(audience), clientID)
	}
	if !slices.Contains(audience, clientID) && !slices.Contains(audience, p.cfg.ProjectID) {
		return errInactive
	}
	var info oidc.UserInfo
	p.describe(&info, subject, t.scopes)
	resp.SetUserInfo(&info)
	account := p.accounts[subject]
	resp.Username = account.Login
	resp.Scope = t.scopes
	resp.ClientID = t.client
	resp.TokenType = oidc.BearerToken
	resp.Expiration = oidc.FromTime(t.expires)
	resp.IssuedAt = oidc.FromTime(t.issued)
	resp.NotBefore = oidc.FromTime(t.issued)
	resp.Audience = audience
	resp.Issuer = p.cfg.Issuer
	resp.JWTID = t.id
	return nil
}

// SetUserinfoFromToken fills the answer of the userinfo endpoint.
func (s *store) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, subject, _ string) error {
	t, err := s.liveToken(id, subject)
	if err != nil {
		return err
	}
	s.provider.describe(info, subject, t.scopes)
	return nil
}

// SetUserinfoFromScopes fills an ID token.
func (s *store) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, subject, _ string, scopes []string) error {
	s.provider.describe(info, subject, scopes)
	return nil
}

// GetPrivateClaimsFromScopes adds nothing: access tokens are not JWTs here.
func (s *store) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// describe says of an account what the scopes allow. The subject is always set: the library overwrites that of an ID
// token with what it finds here. Roles are always told, as by a ZITADEL project that asserts them.
func (p *Provider) describe(info *oidc.UserInfo, subject string, scopes []string) {
	account := p.accounts[subject]
	info.Subject = subject
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.Name = account.Name
		info.PreferredUsername = account.Login
	}
	if slices.Contains(scopes, ScopeOrganization) {
		org := p.organizations[account.Organization]
		info.AppendClaims(claimOrganization, org.ID)
		info.AppendClaims(claimOrganizationName, org.Name)
		info.AppendClaims(claimOrganizationDomain, org.Domain)
	}
	if len(account.Roles) == 0 {
		return
	}
	roles := make(map[string]map[string]string, len(account.Roles))
	for role, granted := range account.Roles {
		roles[role] = make(map[string]string, len(granted))
		for _, org := range granted {
			roles[role][org] = p.organizations[org].Domain
		}
	}
	info.AppendClaims(claimRoles, roles)
	info.AppendClaims(claimProjectRoles(p.cfg.ProjectID), roles)
}
