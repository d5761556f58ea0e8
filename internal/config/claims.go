package config

import (
	"errors"
	"fmt"

	"example.org/avatard/authz"
)

// Whose claims roles and organisation are read from.
const (
	claimsZitadel  = "zitadel"
	claimsKeycloak = "keycloak"
	claimsGeneric  = "generic" // nobody's: settings name the places
)

func parseClaims(to *string, s string) error {
	if s != claimsZitadel && s != claimsKeycloak && s != claimsGeneric {
		return fmt.Errorf("%q is no kind of claims; expected %s, %s or %s", s, claimsZitadel, claimsKeycloak, claimsGeneric)
	}
	*to = s
	return nil
}

func parseClaimPath(to *authz.ClaimPath, s string) error {
	path, err := authz.ParseClaimPath(s)
	if err != nil {
		return fmt.Errorf("%q is no place: %w; expected names with dots between them, such as realm_access.roles", s, err)
	}
	*to = path
	return nil
}

// maxRoleClaims is how many places of roles there may be.
const maxRoleClaims = 8

func parseClaimPaths(to *[]authz.ClaimPath, items []string) error {
	if len(items) > maxRoleClaims {
		return fmt.Errorf("names %d places; expected at most %d", len(items), maxRoleClaims)
	}
	paths := make([]authz.ClaimPath, len(items))
	var faults []error
	for i, s := range items {
		faults = append(faults, parseClaimPath(&paths[i], s))
	}
	*to = paths
	return errors.Join(faults...)
}

// finishClaims looks at what only shows when all settings of claims are read.
func (r *reader) finishClaims() {
	c := r.cfg
	own := []string{"authz.role_claims", "authz.organisation_claim"}
	if c.Claims == claimsZitadel {
		for _, key := range own {
			if r.given[key] {
				r.fault(key, "counts for nothing with authz.claims: %s, whose roles name their organisations; expected authz.claims: %s or %s beside it",
					claimsZitadel, claimsKeycloak, claimsGeneric)
			}
		}
		return
	}
	if c.Source == SourceZitadel {
		r.fault("authz.claims", "is %s beside authz.source: %s, which asks ZITADEL; expected only one of them", c.Claims, SourceZitadel)
	}
	if c.Directory == DirectoryZitadel && r.given["users.directory"] {
		r.fault("users.directory", "is %s beside authz.claims: %s, and asks ZITADEL; expected only one of them", DirectoryZitadel, c.Claims)
	}
	if len(c.Policy.InstanceRoles) > 0 {
		r.fault("authz.instance_roles", "count nowhere with authz.claims: %s, whose roles do not say in which organisation they were given; expected authz.roles", c.Claims)
	}
	if c.Claims == claimsGeneric && !r.given["authz.organisation_claim"] && c.DefaultOrg == "" {
		r.fault("authz.claims", "is %s, and nobody would have an organisation; expected authz.organisation_claim or default_organisation beside it", c.Claims)
	}
	if c.Claims == claimsGeneric && r.given["authz.project_id"] {
		r.fault("authz.project_id", "counts for nothing with authz.claims: %s; expected authz.role_claims", c.Claims)
	}
	if c.PageClientID != "" && !r.given["page.scopes"] {
		c.PageScopes = []string{"openid"} // ZITADEL's are unknown there, and a provider may refuse whoever asks for one that is
	}
}

// ClaimPaths returns where roles and organisation stand in answers of the provider, nil for ZITADEL's claims.
func (c Config) ClaimPaths() *authz.ClaimPaths {
	var paths authz.ClaimPaths
	switch c.Claims {
	case claimsZitadel:
		return nil
	case claimsKeycloak:
		paths = authz.KeycloakClaims(c.ProjectID)
		if c.DefaultOrg != "" {
			paths.Organization = nil // no organisations are in use, unless their place is named as well
		}
	}
	if c.RoleClaims != nil {
		paths.Roles = c.RoleClaims
	}
	if c.OrganizationClaim != nil {
		paths.Organization = c.OrganizationClaim
	}
	return &paths
}
