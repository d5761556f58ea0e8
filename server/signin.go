package server

import "avatard/server/reference"

// NewSignIn describes how people get a token from a provider that knows ZITADEL's scopes: as a public client, for a project.
func NewSignIn(authorizationURL, tokenURL, client, project string) *reference.SignIn {
	return &reference.SignIn{
		AuthorizationURL: authorizationURL, TokenURL: tokenURL, ClientID: client,
		Scopes: []reference.Scope{
			{Name: "openid", Use: "sign in"},
			{Name: "urn:zitadel:iam:org:project:id:" + project + ":aud", Use: "the token is meant for this server's project, whose id is its audience"},
			{Name: "urn:zitadel:iam:user:resourceowner", Use: "the token names your organisation, which calls act in unless x-zitadel-orgid names another one"},
			{Name: "urn:zitadel:iam:org:projects:roles", Use: "the token names your roles, which say what you may do"},
			{Name: "urn:zitadel:iam:org:project:id:zitadel:aud", Mentioned: true,
				Use: "what tokens for ZITADEL's own API are asked for with; this server needs it only if its audience is ZITADEL's own project"},
		},
	}
}
