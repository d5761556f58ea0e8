package server

import "example.org/avatard/server/reference"

// ZitadelScopes are what people ask ZITADEL, and the provider of "avatard dev", for: without them a token does not say what this server
// goes by. project is the id of the project that the server belongs to.
func ZitadelScopes(project string) []reference.Scope {
	return []reference.Scope{
		{Name: "openid", Use: "sign in"},
		{Name: "urn:zitadel:iam:org:project:id:" + project + ":aud", Use: "the token is meant for this server's project, whose id is its audience"},
		{Name: "urn:zitadel:iam:user:resourceowner", Use: "the token names your organisation, which calls act in unless x-zitadel-orgid names another one"},
		{Name: "urn:zitadel:iam:org:projects:roles", Use: "the token names your roles, which say what you may do"},
		{Name: "urn:zitadel:iam:org:project:id:zitadel:aud", Mentioned: true,
			Use: "what tokens for ZITADEL's own API are asked for with; this server needs it only if its audience is ZITADEL's own project"},
	}
}
