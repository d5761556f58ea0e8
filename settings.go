package main

import (
	"fmt"
	"io"
	"strings"

	"avatard/authz"
	"avatard/server/picture"
)

// setting describes one thing that can be configured. Its flag and its variable follow from the key:
// "introspection.cache_ttl" is --introspection-cache-ttl and AVATARD_INTROSPECTION_CACHE_TTL.
//
// Exactly one of text, list and table is set. They put a value into the configuration, or say what is wrong
// with it and what is expected. As a flag or variable a list is "a,b" and a table is "row=a,b;row=c".
type setting struct {
	key      string
	about    string // meaning and, where it is not plain, the form
	fallback string // shown in the help; defaultConfig holds the value
	secret   bool   // the value is never shown, not even in a fault
	isSwitch bool   // true or false: the flag may stand without a value
	isPath   bool   // in the configuration file a relative one starts from where that lies
	text     func(c *config, s string) error
	list     func(c *config, items []string) error
	table    func(c *config, rows map[string][]string) error
}

// written returns a value in the form that it has as a flag, as far as it can be read. A secret is not.
func (s setting) written(v value) string {
	switch {
	case s.secret:
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

func (s setting) flagName() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.key)
}

func (s setting) variable() string {
	return "AVATARD_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// settings is the table of everything that serve can be told. Flags, variables, the configuration file, the
// help text and the names in faults are all made from it.
func settings() []setting {
	return []setting{
		{key: "listen", fallback: "127.0.0.1:8080",
			about: "address to serve on, host:port; an empty host means every interface",
			text:  func(c *config, s string) error { return parseAddress(&c.Listen, s) }},
		{key: "data", isPath: true,
			about: "data directory; made when it is not there",
			text:  func(c *config, s string) error { return parsePath(&c.Data, s) }},
		{key: "tls.cert_file", isPath: true, fallback: "none: cleartext",
			about: "certificate and the chain above it, in PEM; read again within a second of a change, and on SIGHUP",
			text:  func(c *config, s string) error { return parsePath(&c.TLSCertFile, s) }},
		{key: "tls.key_file", isPath: true,
			about: "its private key, in PEM and without a passphrase",
			text:  func(c *config, s string) error { return parsePath(&c.TLSKeyFile, s) }},

		{key: "issuer",
			about: "URL of the OAuth 2 provider, exactly as in its tokens",
			text:  func(c *config, s string) error { return parseIssuer(&c.Issuer, s) }},
		{key: "discovery_url", fallback: "{issuer}/.well-known/openid-configuration",
			about: "where the provider describes itself, when that is elsewhere: an internal address, or RFC 8414's /.well-known/oauth-authorization-server; the issuer in it must be the configured one",
			text:  func(c *config, s string) error { return parseProviderURL(&c.DiscoveryURL, s) }},
		{key: "audience",
			about: "what a token's aud must hold; with ZITADEL the id of the project",
			text:  func(c *config, s string) error { return parseName(&c.Audience, s) }},
		{key: "client_id",
			about: "client that asks the provider about tokens",
			text:  func(c *config, s string) error { return parseName(&c.ClientID, s) }},
		{key: "client_secret", secret: true,
			about: "its secret; other users of the machine can see flags, so prefer client_secret_file",
			text:  func(c *config, s string) error { c.ClientSecret = s; return nil }},
		{key: "client_secret_file", isPath: true,
			about: "file that holds the secret and nothing else but white space around it; read again within a second of a change",
			text:  func(c *config, s string) error { return parsePath(&c.ClientSecretFile, s) }},
		{key: "client_key_file", isPath: true,
			about: "JSON file of the client's private key, as ZITADEL gives it out for a JWT profile, in place of a secret; read again within a second of a change",
			text:  func(c *config, s string) error { return parsePath(&c.ClientKeyFile, s) }},
		{key: "realm", fallback: "avatard",
			about: "realm of the WWW-Authenticate challenge",
			text:  func(c *config, s string) error { return parseRealm(&c.Realm, s) }},

		{key: "introspection.endpoint", fallback: "as the provider describes it",
			about: "where the provider is asked about tokens; its description is not read then",
			text:  func(c *config, s string) error { return parseProviderURL(&c.Introspection, s) }},
		{key: "introspection.cache_ttl", fallback: "5s",
			about: "how long an answer of the provider is believed, so also how long a revoked token may live on; 0 asks every time",
			text:  func(c *config, s string) error { return parseDuration(&c.CacheTTL, s, 0, maxCacheTTL) }},
		{key: "introspection.timeout", fallback: "2.5s",
			about: "how long the provider may take to answer",
			text: func(c *config, s string) error {
				return parseDuration(&c.IntrospectionTimeout, s, minTimeout, maxTimeout)
			}},

		{key: "introspection.unknown_rate", fallback: "100",
			about: "tokens a second that one address may have looked up, of those that were not active within ten minutes; 0 for no limit",
			text:  func(c *config, s string) error { return parsePerSecond(&c.Unknown, s) }},
		{key: "introspection.unknown_burst", fallback: "200",
			about: "how many of them at once",
			text:  func(c *config, s string) error { return parseBurst(&c.Unknown, s) }},

		{key: "authz.source", fallback: "claims",
			about: "where permissions come from: claims (roles in the token) or zitadel (the provider is asked with the caller's token)",
			text:  func(c *config, s string) error { return parseSource(&c.Source, s) }},
		{key: "authz.project_id", fallback: "the audience",
			about: "project whose roles count",
			text:  func(c *config, s string) error { return parseName(&c.ProjectID, s) }},
		{key: "authz.instance_organisation",
			about: "organisation in which instance-wide roles are granted",
			text:  func(c *config, s string) error { return parseName(&c.Policy.InstanceOrganization, s) }},
		{key: "authz.roles", fallback: "ORG_OWNER, ORG_USER_MANAGER, ORG_OWNER_VIEWER as documented",
			about: "what each role allows in the organisation it was granted in; replaces the whole table: ROLE=user.write,user.read;ROLE=...",
			table: func(c *config, rows map[string][]string) error { return parseRoles(&c.Policy.Roles, rows) }},
		{key: "authz.instance_roles", fallback: "none",
			about: "what each instance-wide role allows in every organisation; same form",
			table: func(c *config, rows map[string][]string) error { return parseRoles(&c.Policy.InstanceRoles, rows) }},
		{key: "authz.allow_pat", fallback: "false; true with authz.source: zitadel", isSwitch: true,
			about: "accept tokens whose introspection names no client, such as ZITADEL's personal access tokens, which carry the audience of whoever asks",
			text:  func(c *config, s string) error { return parseSwitch(&c.AllowPAT, s) }},
		{key: "authz.allow_impersonation", fallback: "false", isSwitch: true,
			about: "accept tokens with which somebody else acts as the user (claim act); log and audit trail name both",
			text:  func(c *config, s string) error { return parseSwitch(&c.AllowImpersonation, s) }},

		{key: "assets.public", fallback: "true", isSwitch: true,
			about: "anyone may read a picture whose organisation and user id they know",
			text:  func(c *config, s string) error { return parseSwitch(&c.PublicAssets, s) }},
		{key: "reflection", fallback: "true", isSwitch: true,
			about: "anyone may ask over gRPC's reflection what the API looks like, as grpcurl and buf curl do",
			text:  func(c *config, s string) error { return parseSwitch(&c.Reflection, s) }},
		{key: "pictures.max_upload_bytes", fallback: "524288",
			about: "size of a picture as uploaded, 65536 to 16777216 bytes; over it 413. Uploads on their way take eight times that in memory, and at least 32 MiB",
			text: func(c *config, s string) error {
				return parseBetween(&c.Pictures.MaxUploadBytes, s, "size of a picture", minUploadBytes, picture.MostUploadBytes)
			}},
		{key: "pictures.max_pixels", fallback: "12500000",
			about: "width × height of a picture as uploaded, 1000000 to 100000000; over it 400. Up to 12500000 pictures take 192 MB in memory together, above that in proportion",
			text: func(c *config, s string) error {
				return parseBetween(&c.Pictures.MaxPixels, s, "number of pixels", minPixels, picture.MostPixels)
			}},
		{key: "users.register_on_admin_upload", fallback: "false", isSwitch: true,
			about: "an administrator's upload for an unknown user registers that user in the administrator's organisation, and nobody else can then; only where administrators of all organisations trust each other",
			text:  func(c *config, s string) error { return parseSwitch(&c.RegisterOnAdminUpload, s) }},
		{key: "default_organisation", fallback: "none: such tokens are refused",
			about: "organisation of everybody whose token names none, for providers that know no organisations; registered at start",
			text:  func(c *config, s string) error { return parseName(&c.DefaultOrg, s) }},
		{key: "organisations", fallback: "none",
			about: "organisations to register at start: ORG,ORG",
			list:  func(c *config, items []string) error { return parseIDs(&c.Organizations, items) }},
		{key: "cors.origins", fallback: "none",
			about: "web origins whose pages may call the API: https://app.example,https://...",
			list:  func(c *config, items []string) error { return parseOrigins(&c.Origins, items) }},
		{key: "cors.headers", fallback: "none",
			about: "request headers that those pages may send beside the ones of the API, X-Requested-With and those of traces: X-App-Version,...",
			list:  func(c *config, items []string) error { return parseHeaderNames(&c.CORSHeaders, items) }},

		{key: "trusted_proxies", fallback: "none",
			about: "proxies whose X-Forwarded-For or Forwarded tells a client's address: 10.0.0.0/8,192.0.2.1",
			list:  func(c *config, items []string) error { return parseProxies(&c.TrustedProxies, items) }},
		{key: "rate_limit.caller", fallback: "0",
			about: "calls a second of one caller; 0 for no limit",
			text:  func(c *config, s string) error { return parsePerSecond(&c.CallerRate, s) }},
		{key: "rate_limit.caller_burst", fallback: "twice the rate",
			about: "how many of them at once",
			text:  func(c *config, s string) error { return parseBurst(&c.CallerRate, s) }},
		{key: "rate_limit.address", fallback: "0",
			about: "calls a second from one IPv4 address or IPv6 network of 64 bits; 0 for no limit",
			text:  func(c *config, s string) error { return parsePerSecond(&c.AddressRate, s) }},
		{key: "rate_limit.address_burst", fallback: "twice the rate",
			about: "how many of them at once",
			text:  func(c *config, s string) error { return parseBurst(&c.AddressRate, s) }},

		{key: "limits.requests", fallback: "2048",
			about: "requests in flight at once; over it 503 with Retry-After",
			text:  func(c *config, s string) error { return parseCount(&c.MaxRequests, s, 100_000) }},
		{key: "limits.requests_per_address", fallback: "256",
			about: "how many of them from one IPv4 address or IPv6 network of 64 bits",
			text:  func(c *config, s string) error { return parseCount(&c.MaxRequestsPerAddress, s, 100_000) }},
		{key: "limits.connections", fallback: "4096",
			about: "connections at once; over it only health is answered",
			text:  func(c *config, s string) error { return parseCount(&c.MaxConnections, s, 100_000) }},
		{key: "limits.connections_per_address", fallback: "1024",
			about: "how many of them from one IPv4 address or IPv6 network of 64 bits; those of trusted_proxies may have all",
			text:  func(c *config, s string) error { return parseCount(&c.MaxConnectionsPerAddress, s, 100_000) }},
		{key: "limits.idle_timeout", fallback: "620s",
			about: "how long a connection without a call is kept, 1s to 24h; must be longer than a proxy in front keeps it. At a bound of connections those idle for 90 s give way, but for those of trusted_proxies",
			text:  func(c *config, s string) error { return parseDuration(&c.IdleTimeout, s, minIdle, maxIdle) }},
		{key: "limits.header_bytes", fallback: "65536",
			about: "size of the header fields of a request, 4096 to 1048576 bytes; over it 431",
			text:  func(c *config, s string) error { return parseHeaderBytes(&c.MaxHeaderBytes, s) }},
		{key: "audit.retention", fallback: "400d",
			about: "how long records of changes are kept: days (400d) or hours (36h); 0 for ever",
			text:  func(c *config, s string) error { return parseAge(&c.Keep.Changes, s) }},
		{key: "audit.refusals", fallback: "30d",
			about: "how long records of refused calls are kept; 0 for ever",
			text:  func(c *config, s string) error { return parseAge(&c.Keep.Refusals, s) }},
		{key: "audit.refusal_rows", fallback: "1000000",
			about: "how many records of refused calls are kept at most, the newest; 0 for any number",
			text:  func(c *config, s string) error { return parseRows(&c.Keep.RefusalRows, s) }},
		{key: "receipts.retention", fallback: "1095d",
			about: "how long receipts of erased pictures are kept, but a user's newest always; backups that are older cannot be restored safely, so delete those before; 0 for ever",
			text:  func(c *config, s string) error { return parseAge(&c.Keep.Receipts, s) }},

		{key: "metrics.listen", fallback: "none: off",
			about: "address that shows metrics for Prometheus (/metrics) and, to this machine alone, profiles (/debug/pprof/): host:port; an empty host means 127.0.0.1",
			text:  func(c *config, s string) error { return parseLocalAddress(&c.Watch.MetricsListen, s) }},
		{key: "tracing.endpoint", fallback: "none: off",
			about: "URL to send traces of RPCs to, OTLP over HTTP; without a path it is /v1/traces. Headers come from OTEL_EXPORTER_OTLP_HEADERS",
			text:  func(c *config, s string) error { return parseEndpoint(&c.Watch.TracingEndpoint, s) }},
		{key: "tracing.ratio", fallback: "1",
			about: "share of calls that are traced, 0 to 1",
			text:  func(c *config, s string) error { return parseRatio(&c.Watch.TracingRatio, s) }},
		{key: "tracing.trust_parent", fallback: "false", isSwitch: true,
			about: "continue the traces that requests name, and let them decide what is traced; only behind a proxy that strips or sets traceparent",
			text:  func(c *config, s string) error { return parseSwitch(&c.Watch.TracingTrustParent, s) }},

		{key: "shutdown.delay", fallback: "0s",
			about: "how long to go on listening after a signal, while /readyz and the health service say that the server is not ready, so that nobody is sent here any more; another signal ends it",
			text:  func(c *config, s string) error { return parseDuration(&c.ShutdownDelay, s, 0, maxGrace) }},
		{key: "shutdown.grace", fallback: "35s",
			about: "how long running calls may take to end after a signal",
			text:  func(c *config, s string) error { return parseDuration(&c.ShutdownGrace, s, minGrace, maxGrace) }},
		{key: "log.level", fallback: "info",
			about: "debug, info, warn or error",
			text:  func(c *config, s string) error { return parseLevel(&c.LogLevel, s) }},
		{key: "log.format", fallback: "text",
			about: "text or json",
			text:  func(c *config, s string) error { return parseFormat(&c.LogFormat, s) }},
	}
}

// notSettings are the variables with our prefix that belong to somebody else: the client commands' address and
// token, which the development environment file exports beside the settings, and the configuration file's name.
var notSettings = [...]string{"AVATARD_URL", "AVATARD_TOKEN", configVariable}

const configVariable = "AVATARD_CONFIG"

func printSettings(w io.Writer) {
	fmt.Fprintf(w, "  --config FILE   %s\n        YAML file with the settings below; flags win over variables, variables over the file.\n        Relative paths in it start from the directory that it lies in, others from the working directory.\n", configVariable)
	for _, s := range settings() {
		fmt.Fprintf(w, "\n  %s   --%s   %s\n        %s", s.key, s.flagName(), s.variable(), s.about)
		if s.fallback != "" {
			fmt.Fprintf(w, " (default: %s)", s.fallback)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nPermissions: %s.\n", strings.Join(permissionNames(), ", "))
}

func permissions() []authz.Permission {
	return []authz.Permission{authz.UserWrite, authz.UserRead, authz.UserDelete, authz.OrgDelete}
}

func permissionNames() []string {
	var names []string
	for _, p := range permissions() {
		names = append(names, string(p))
	}
	return names
}
