package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"example.org/avatard/authz"
	"example.org/avatard/server/picture"
)

// Setting describes one thing that can be configured. Its flag and its variable follow from the key:
// "introspection.cache_ttl" is --introspection-cache-ttl and AVATARD_INTROSPECTION_CACHE_TTL.
//
// Exactly one of text, list and table is set. They put a value into the configuration, or say what is wrong
// with it and what is expected. As a flag or variable a list is "a,b" and a table is "row=a,b;row=c".
type Setting struct {
	Key      string
	About    string   // meaning and, where it is not plain, the form
	Form     string   // of the value in a usage line, "" = VALUE
	Fallback string   // shown in the help; Default holds the value
	Secret   bool     // the value is never shown, not even in a fault
	IsSwitch bool     // true or false: the flag may stand without a value
	OfStore  bool     // it tells where the data is kept, so every command that works on the data takes it
	isPath   bool     // in the configuration file a relative one starts from where that lies
	insteads []string // keys of settings of which one does as well where this one is required
	text     func(c *Config, s string) error
	list     func(c *Config, items []string) error
	table    func(c *Config, rows map[string][]string) error
}

// written returns a value in the form that it has as a flag, as far as it can be read. A secret is not.
func (s Setting) written(v value) string {
	switch {
	case s.Secret:
		return ""
	case s.table != nil:
		rows, _ := v.asTable()
		var parts []string
		for _, name := range sortedKeys(rows) {
			parts = append(parts, name+"="+strings.Join(rows[name], ","))
		}
		return strings.Join(parts, ";")
	case s.list != nil:
		items, _ := v.asList()
		return strings.Join(items, ",")
	}
	text, _ := v.asText()
	return text
}

// orOneOf returns the keys of which one has to be given where the setting is required.
func (s Setting) orOneOf() []string { return append([]string{s.Key}, s.insteads...) }

// FlagName is the name of its flag, without "--".
func (s Setting) FlagName() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.Key)
}

// Variable is the name of its environment variable.
func (s Setting) Variable() string {
	return "AVATARD_" + strings.ToUpper(strings.ReplaceAll(s.Key, ".", "_"))
}

// Settings is the table of everything that serve can be told. Flags, variables, the configuration file, the
// help text and the names in faults are all made from it.
func Settings() []Setting { return slices.Clone(settings) }

var settings = []Setting{
	{Key: "listen", Fallback: "127.0.0.1:8080",
		About: "address to serve on, host:port; an empty host means every interface",
		text:  func(c *Config, s string) error { return parseAddress(&c.Listen, s) }},
	{Key: "data", isPath: true, Form: "DIR", OfStore: true, insteads: databaseKeys,
		About: "data directory; made when it is not there. Not used with database",
		text:  func(c *Config, s string) error { return parsePath(&c.Data, s) }},
	{Key: "database", Secret: true, Form: "ADDRESS", OfStore: true,
		About: "address of PostgreSQL, with which any number of servers share the data: postgres://user:password@host/database; the pictures are in a bucket then. Other users of the machine can see flags, so with a password prefer database_file",
		text:  func(c *Config, s string) error { return parseDatabase(&c.Database, s) }},
	{Key: "database_file", isPath: true, OfStore: true,
		About: "file that holds this address and nothing else but white space around it",
		text:  func(c *Config, s string) error { return parsePath(&c.DatabaseFile, s) }},
	{Key: "bucket.endpoint", Form: "URL", OfStore: true,
		About: "address of the S3 server, without the bucket: https://s3.example.com",
		text:  func(c *Config, s string) error { return parseEndpointOfBucket(&c.Bucket.Endpoint, s) }},
	{Key: "bucket.region", Fallback: "us-east-1", OfStore: true,
		About: "region that the S3 server is in, or says it is",
		text:  func(c *Config, s string) error { return parseName(&c.Bucket.Region, s) }},
	{Key: "bucket.name", OfStore: true,
		About: "the bucket, which is avatard's alone; it has to be there",
		text:  func(c *Config, s string) error { return parseBucketName(&c.Bucket.Name, s) }},
	{Key: "bucket.access_key", OfStore: true,
		About: "id of the key that requests are signed with",
		text:  func(c *Config, s string) error { return parseName(&c.Bucket.AccessKey, s) }},
	{Key: "bucket.secret_key_file", isPath: true, OfStore: true,
		About: "file that holds the secret of this key and nothing else but white space around it",
		text:  func(c *Config, s string) error { return parsePath(&c.Bucket.SecretKeyFile, s) }},
	{Key: "bucket.key_file", isPath: true, OfStore: true,
		About: "file of the keys that pictures are encrypted with, a line each: an id, a space and 32 random bytes in base64. The last one encrypts, all decrypt; only its owner may read it",
		text:  func(c *Config, s string) error { return parsePath(&c.Bucket.KeyFile, s) }},
	{Key: "bucket.accept_unknown", Fallback: "false", IsSwitch: true, OfStore: true,
		About: "use a bucket whose server does not tell whether something in it keeps what is deleted, such as a retention or a copy elsewhere; only where somebody has looked",
		text:  func(c *Config, s string) error { return parseSwitch(&c.Bucket.AcceptUnknown, s) }},
	{Key: "tls.cert_file", isPath: true, Fallback: "none: cleartext",
		About: "certificate and the chain above it, in PEM; read again within a second of a change, and on SIGHUP",
		text:  func(c *Config, s string) error { return parsePath(&c.TLSCertFile, s) }},
	{Key: "tls.key_file", isPath: true,
		About: "its private key, in PEM and without a passphrase",
		text:  func(c *Config, s string) error { return parsePath(&c.TLSKeyFile, s) }},

	{Key: "issuer", Form: "URL",
		About: "URL of the OAuth 2 provider, exactly as in its tokens",
		text:  func(c *Config, s string) error { return ParseIssuer(&c.Issuer, s) }},
	{Key: "discovery_url", Fallback: "{issuer}/.well-known/openid-configuration",
		About: "where the provider describes itself, when that is elsewhere: an internal address, or RFC 8414's /.well-known/oauth-authorization-server; the issuer in it must be the configured one",
		text:  func(c *Config, s string) error { return parseProviderURL(&c.DiscoveryURL, s) }},
	{Key: "audience",
		About: "what a token's aud must hold; with ZITADEL the id of the project",
		text:  func(c *Config, s string) error { return parseName(&c.Audience, s) }},
	{Key: "client_id",
		About: "client that asks the provider about tokens",
		text:  func(c *Config, s string) error { return parseName(&c.ClientID, s) }},
	{Key: "client_secret", Secret: true, insteads: []string{"client_secret_file", "client_key_file"},
		About: "its secret; other users of the machine can see flags, so prefer client_secret_file",
		text:  func(c *Config, s string) error { c.ClientSecret = s; return nil }},
	{Key: "client_secret_file", isPath: true,
		About: "file that holds the secret and nothing else but white space around it; read again within a second of a change",
		text:  func(c *Config, s string) error { return parsePath(&c.ClientSecretFile, s) }},
	{Key: "client_key_file", isPath: true,
		About: "JSON file of the client's private key, as ZITADEL gives it out for a JWT profile, in place of a secret; read again within a second of a change",
		text:  func(c *Config, s string) error { return parsePath(&c.ClientKeyFile, s) }},
	{Key: "realm", Fallback: "avatard",
		About: "realm of the WWW-Authenticate challenge",
		text:  func(c *Config, s string) error { return parseRealm(&c.Realm, s) }},

	{Key: "introspection.endpoint", Fallback: "as the provider describes it",
		About: "where the provider is asked about tokens; its description is not read then",
		text:  func(c *Config, s string) error { return parseProviderURL(&c.Introspection, s) }},
	{Key: "introspection.cache_ttl", Fallback: "5s",
		About: "how long an answer of the provider is believed, so also how long a revoked token may live on; 0 asks every time",
		text:  func(c *Config, s string) error { return parseDuration(&c.CacheTTL, s, 0, maxCacheTTL) }},
	{Key: "introspection.timeout", Fallback: "2.5s",
		About: "how long the provider may take to answer",
		text: func(c *Config, s string) error {
			return parseDuration(&c.IntrospectionTimeout, s, minTimeout, maxTimeout)
		}},

	{Key: "introspection.unknown_rate", Fallback: "100",
		About: "tokens a second that one address may have looked up, of those that were not active within ten minutes; 0 for no limit",
		text:  func(c *Config, s string) error { return parsePerSecond(&c.Unknown, s) }},
	{Key: "introspection.unknown_burst", Fallback: "200",
		About: "how many of them at once",
		text:  func(c *Config, s string) error { return parseBurst(&c.Unknown, s) }},

	{Key: "authz.source", Fallback: "claims",
		About: "where permissions come from: claims (roles in the token) or zitadel (the provider is asked with the caller's token)",
		text:  func(c *Config, s string) error { return parseSource(&c.Source, s) }},
	{Key: "authz.claims", Fallback: "zitadel",
		About: "where introspection answers have roles and organisation: zitadel, keycloak or generic. Only ZITADEL's roles name the organisations they count in; others count in the caller's own and nowhere else",
		text:  func(c *Config, s string) error { return parseClaims(&c.Claims, s) }},
	{Key: "authz.role_claims", Fallback: "with keycloak realm_access.roles and resource_access.{authz.project_id}.roles, with generic none",
		About: "places of lists of role names, eight at most, with a dot between names and \\. for a dot inside one: realm_access.roles,https://example\\.com/roles",
		list:  func(c *Config, items []string) error { return parseClaimPaths(&c.RoleClaims, items) }},
	{Key: "authz.organisation_claim", Fallback: "with keycloak organization, unless there is a default_organisation; else none: everybody belongs to default_organisation",
		About: "place of the caller's organisation: a text, a list of one, or an object whose only member has its name; a token with several is refused. It has to be one that callers cannot set themselves",
		text:  func(c *Config, s string) error { return parseClaimPath(&c.OrganizationClaim, s) }},
	{Key: "authz.project_id", Fallback: "the audience",
		About: "project whose roles count; with authz.claims: keycloak the client",
		text:  func(c *Config, s string) error { return parseName(&c.ProjectID, s) }},
	{Key: "authz.instance_organisation",
		About: "organisation in which instance-wide roles are granted",
		text:  func(c *Config, s string) error { return parseName(&c.Policy.InstanceOrganization, s) }},
	{Key: "authz.roles", Fallback: "ORG_OWNER, ORG_USER_MANAGER, ORG_OWNER_VIEWER as documented",
		About: "what each role allows in the organisation it was granted in; replaces the whole table: ROLE=user.write,user.read;ROLE=...",
		table: func(c *Config, rows map[string][]string) error { return parseRoles(&c.Policy.Roles, rows) }},
	{Key: "authz.instance_roles", Fallback: "none",
		About: "what each instance-wide role allows in every organisation; same form",
		table: func(c *Config, rows map[string][]string) error { return parseRoles(&c.Policy.InstanceRoles, rows) }},
	{Key: "authz.allow_pat", Fallback: "false; true with authz.source: zitadel", IsSwitch: true,
		About: "accept tokens whose introspection names no client, such as ZITADEL's personal access tokens, which carry the audience of whoever asks",
		text:  func(c *Config, s string) error { return parseSwitch(&c.AllowPAT, s) }},
	{Key: "authz.allow_impersonation", Fallback: "false", IsSwitch: true,
		About: "accept tokens with which somebody else acts as the user (claim act); log and audit trail name both",
		text:  func(c *Config, s string) error { return parseSwitch(&c.AllowImpersonation, s) }},

	{Key: "assets.public", Fallback: "true", IsSwitch: true,
		About: "anyone may read a picture whose organisation and user id they know",
		text:  func(c *Config, s string) error { return parseSwitch(&c.PublicAssets, s) }},
	{Key: "reflection", Fallback: "true", IsSwitch: true,
		About: "anyone may ask over gRPC's reflection what the API looks like, as grpcurl and buf curl do",
		text:  func(c *Config, s string) error { return parseSwitch(&c.Reflection, s) }},
	{Key: "page.enabled", Fallback: "false", IsSwitch: true,
		About: "show at / a page on which people see, set and delete their picture, and managers users and receipts; needs page.client_id",
		text:  func(c *Config, s string) error { return parseSwitch(&c.Page, s) }},
	{Key: "page.client_id", Fallback: "none: tokens can be pasted there",
		About: "public client of the provider (authorization code with PKCE, redirect to /callback of this server) as which the pages sign people in: the API reference, and the one at /",
		text:  func(c *Config, s string) error { return parseName(&c.PageClientID, s) }},
	{Key: "page.scopes", Fallback: "openid; with authz.claims: zitadel also its scopes for project, organisation and roles",
		About: "scopes that it asks for: openid,profile,...",
		list:  func(c *Config, items []string) error { return parseScopes(&c.PageScopes, items) }},
	{Key: "pictures.max_upload_bytes", Fallback: "524288",
		About: "size of a picture as uploaded, 65536 to 16777216 bytes; over it 413. Uploads on their way take eight times that in memory, and at least 32 MiB",
		text: func(c *Config, s string) error {
			return parseBetween(&c.Pictures.MaxUploadBytes, s, "size of a picture", minUploadBytes, picture.MostUploadBytes)
		}},
	{Key: "pictures.max_pixels", Fallback: "12500000",
		About: "width × height of a picture as uploaded, 1000000 to 100000000; over it 400. Up to 12500000 pictures take 192 MB in memory together, above that in proportion",
		text: func(c *Config, s string) error {
			return parseBetween(&c.Pictures.MaxPixels, s, "number of pixels", minPixels, picture.MostPixels)
		}},
	{Key: "pictures.resized_cache_bytes", Fallback: "16777216",
		About: "memory for pictures in the sizes that ?size= asked for, 0 to 1073741824 bytes; 0 makes them anew each time",
		text: func(c *Config, s string) error {
			return parseBetween(&c.ResizedBytes, s, "number of bytes", 0, maxResizedBytes)
		}},
	{Key: "pictures.default_image", isPath: true, Fallback: "none",
		About: "file of a picture that ?default=image stands for, where people have none; read at start and brought into the form of uploads, whose limits it has to keep",
		text:  func(c *Config, s string) error { return parsePath(&c.DefaultImage, s) }},
	{Key: "users.register_on_admin_upload", Fallback: "false", IsSwitch: true,
		About: "an administrator's upload for an unknown user registers that user in the administrator's organisation, and nobody else can then; only where administrators of all organisations trust each other",
		text:  func(c *Config, s string) error { return parseSwitch(&c.RegisterOnAdminUpload, s) }},
	{Key: "users.directory", Fallback: "none; zitadel with authz.source: zitadel",
		About: "who is asked about a user unknown here whom a delete, an end or an administrator's upload names, with the caller's own token: none, or zitadel, the provider's user API. A person who belongs to the organisation there is registered in it; 503 while it does not answer",
		text:  func(c *Config, s string) error { return parseDirectory(&c.Directory, s) }},
	{Key: "default_organisation", Fallback: "none: such tokens are refused",
		About: "organisation of everybody whose token names none, for providers that know no organisations; registered at start",
		text:  func(c *Config, s string) error { return parseName(&c.DefaultOrg, s) }},
	{Key: "organisations", Fallback: "none",
		About: "organisations to register at start: ORG,ORG",
		list:  func(c *Config, items []string) error { return parseIDs(&c.Organizations, items) }},
	{Key: "cors.origins", Fallback: "none",
		About: "web origins whose pages may call the API: https://app.example,https://...",
		list:  func(c *Config, items []string) error { return parseOrigins(&c.Origins, items) }},
	{Key: "cors.headers", Fallback: "none",
		About: "request headers that those pages may send beside the ones of the API, X-Requested-With and those of traces: X-App-Version,...",
		list:  func(c *Config, items []string) error { return parseHeaderNames(&c.CORSHeaders, items) }},

	{Key: "trusted_proxies", Fallback: "none",
		About: "proxies whose X-Forwarded-For or Forwarded tells a client's address: 10.0.0.0/8,192.0.2.1",
		list:  func(c *Config, items []string) error { return parseProxies(&c.TrustedProxies, items) }},
	{Key: "rate_limit.caller", Fallback: "0",
		About: "calls a second of one caller; 0 for no limit",
		text:  func(c *Config, s string) error { return parsePerSecond(&c.CallerRate, s) }},
	{Key: "rate_limit.caller_burst", Fallback: "twice the rate",
		About: "how many of them at once",
		text:  func(c *Config, s string) error { return parseBurst(&c.CallerRate, s) }},
	{Key: "rate_limit.address", Fallback: "0",
		About: "calls a second from one IPv4 address or IPv6 network of 64 bits; 0 for no limit",
		text:  func(c *Config, s string) error { return parsePerSecond(&c.AddressRate, s) }},
	{Key: "rate_limit.address_burst", Fallback: "twice the rate",
		About: "how many of them at once",
		text:  func(c *Config, s string) error { return parseBurst(&c.AddressRate, s) }},

	{Key: "limits.requests", Fallback: "2048",
		About: "requests in flight at once; over it 503 with Retry-After",
		text:  func(c *Config, s string) error { return parseCount(&c.MaxRequests, s, 100_000) }},
	{Key: "limits.requests_per_address", Fallback: "256",
		About: "how many of them from one IPv4 address or IPv6 network of 64 bits",
		text:  func(c *Config, s string) error { return parseCount(&c.MaxRequestsPerAddress, s, 100_000) }},
	{Key: "limits.connections", Fallback: "4096",
		About: "connections at once; over it only health is answered",
		text:  func(c *Config, s string) error { return parseCount(&c.MaxConnections, s, 100_000) }},
	{Key: "limits.connections_per_address", Fallback: "1024",
		About: "how many of them from one IPv4 address or IPv6 network of 64 bits; those of trusted_proxies may have all",
		text:  func(c *Config, s string) error { return parseCount(&c.MaxConnectionsPerAddress, s, 100_000) }},
	{Key: "limits.idle_timeout", Fallback: "620s",
		About: "how long a connection without a call is kept, 1s to 24h; must be longer than a proxy in front keeps it. At a bound of connections those idle for 90 s give way, but for those of trusted_proxies",
		text:  func(c *Config, s string) error { return parseDuration(&c.IdleTimeout, s, minIdle, maxIdle) }},
	{Key: "limits.header_bytes", Fallback: "65536",
		About: "size of the header fields of a request, 4096 to 1048576 bytes; over it 431",
		text:  func(c *Config, s string) error { return parseHeaderBytes(&c.MaxHeaderBytes, s) }},
	{Key: "hooks.organisations", Fallback: "none: no hooks",
		About: "senders of account events, 16 at most, each with the organisations of which its events are taken: NAME=ORG,ORG;NAME=...; events of the hook NAME come in at POST /hooks/NAME",
		table: func(c *Config, rows map[string][]string) error { return parseHooks(&c.HookOrganizations, rows) }},
	{Key: "hooks.secrets", isPath: true, Form: "DIR",
		About: "directory with a file for each hook, of its name: the secret that events are signed with (whsec_…), or two while it changes, a line each. Only its owner may read the file, which is read again within a second of a change, and on SIGHUP",
		text:  func(c *Config, s string) error { return parsePath(&c.HookSecrets, s) }},
	{Key: "hooks.zitadel", Fallback: "none: all send Standard Webhooks",
		About: "hooks whose events are those of ZITADEL's Actions v2, signed with the signingKey of the target: NAME,NAME",
		list:  func(c *Config, items []string) error { return parseIDs(&c.HookZitadel, items) }},
	{Key: "audit.stream", Fallback: "none", isPath: true,
		About: "file that gets a line of JSON for every change and every record of refused calls, or - for standard output; opened again on SIGHUP",
		text:  func(c *Config, s string) error { return parsePath(&c.AuditStream, s) }},
	{Key: "audit.retention", Fallback: "400d",
		About: "how long records of changes are kept: days (400d) or hours (36h); 0 for ever",
		text:  func(c *Config, s string) error { return parseAge(&c.Keep.Changes, s) }},
	{Key: "audit.refusals", Fallback: "30d",
		About: "how long records of refused calls are kept; 0 for ever",
		text:  func(c *Config, s string) error { return parseAge(&c.Keep.Refusals, s) }},
	{Key: "audit.refusal_rows", Fallback: "1000000",
		About: "how many records of refused calls are kept at most, the newest; 0 for any number",
		text:  func(c *Config, s string) error { return parseRows(&c.Keep.RefusalRows, s) }},
	{Key: "receipts.retention", Fallback: "1095d",
		About: "how long receipts of erased pictures are kept, but a user's newest always; backups that are older cannot be restored safely, so delete those before; 0 for ever",
		text:  func(c *Config, s string) error { return parseAge(&c.Keep.Receipts, s) }},

	{Key: "metrics.listen", Fallback: "none: off",
		About: "address that shows metrics for Prometheus (/metrics) and, to this machine alone, profiles (/debug/pprof/): host:port; an empty host means 127.0.0.1",
		text:  func(c *Config, s string) error { return parseLocalAddress(&c.Watch.MetricsListen, s) }},
	{Key: "tracing.endpoint", Fallback: "none: off",
		About: "URL to send traces of RPCs to, OTLP over HTTP; without a path it is /v1/traces. Headers come from OTEL_EXPORTER_OTLP_HEADERS",
		text:  func(c *Config, s string) error { return parseEndpoint(&c.Watch.TracingEndpoint, s) }},
	{Key: "tracing.ratio", Fallback: "1",
		About: "share of calls that are traced, 0 to 1",
		text:  func(c *Config, s string) error { return parseRatio(&c.Watch.TracingRatio, s) }},
	{Key: "tracing.trust_parent", Fallback: "false", IsSwitch: true,
		About: "continue the traces that requests name, and let them decide what is traced; only behind a proxy that strips or sets traceparent",
		text:  func(c *Config, s string) error { return parseSwitch(&c.Watch.TracingTrustParent, s) }},

	{Key: "shutdown.delay", Fallback: "0s",
		About: "how long to go on listening after a signal, while /readyz and the health service say that the server is not ready, so that nobody is sent here any more; another signal ends it",
		text:  func(c *Config, s string) error { return parseDuration(&c.ShutdownDelay, s, 0, maxGrace) }},
	{Key: "shutdown.grace", Fallback: "35s",
		About: "how long running calls may take to end after a signal",
		text:  func(c *Config, s string) error { return parseDuration(&c.ShutdownGrace, s, minGrace, maxGrace) }},
	{Key: "log.level", Fallback: "info",
		About: "debug, info, warn or error",
		text:  func(c *Config, s string) error { return parseLevel(&c.LogLevel, s) }},
	{Key: "log.format", Fallback: "text",
		About: "text or json",
		text:  func(c *Config, s string) error { return parseFormat(&c.LogFormat, s) }},
}

// notSettings are the variables with our prefix that belong to somebody else: the client commands' address and
// token, which the development environment file exports beside the settings, and the configuration file's name.
var notSettings = [...]string{"AVATARD_URL", "AVATARD_TOKEN", configVariable}

const configVariable = "AVATARD_CONFIG"

// PrintHelp writes what each setting means and the names it goes by.
func PrintHelp(w io.Writer) {
	fmt.Fprintf(w, "  --config FILE   %s\n        YAML file with the settings below; flags win over variables, variables over the file.\n        Relative paths in it start from the directory that it lies in, others from the working directory.\n", configVariable)
	for _, s := range Settings() {
		fmt.Fprintf(w, "\n  %s   --%s   %s\n        %s", s.Key, s.FlagName(), s.Variable(), s.About)
		if s.Fallback != "" {
			fmt.Fprintf(w, " (default: %s)", s.Fallback)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nPermissions: %s.\n", strings.Join(permissionNames(), ", "))
}

// Permissions are those that roles can be given.
func Permissions() []authz.Permission {
	return []authz.Permission{authz.UserWrite, authz.UserRead, authz.UserDelete, authz.OrgDelete}
}

func permissionNames() []string {
	var names []string
	for _, p := range Permissions() {
		names = append(names, string(p))
	}
	return names
}
