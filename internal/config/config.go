// Package config is what avatard serve can be told: one table of settings (settings.go), from which flags, variables,
// the file, the help, docs/configuration.md and the names in faults are made.
//
//	file.go ─────┐ (YAML, by its syntax tree)
//	variables ───┼► reader.go ─► value.go, limit.go, age.go ─► Config, or an Error with every fault at once
//	flags.go ────┘      └► provider.go, cluster.go, hooks.go: what only shows when all is read; secrets and keys
//
// Beside it secretwatch.go and hookwatch.go read changed secrets again while the server runs, and opensecrets.go warns of files that
// others may read. The package opens no store, listens nowhere and asks no provider.
package config

import (
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/authz/limit"
	"example.org/avatard/server"
	"example.org/avatard/server/picture"
	"example.org/avatard/storage"
)

// Config is what serve can be told. settings.go describes each field for the people who set them.
type Config struct {
	File string // that the settings come from, "" = none

	Listen string

	Data         string // the directory that the data is in, unless there is a database
	Database     string // from either setting, once Read has returned; with one the store is a cluster
	DatabaseFile string
	Bucket       Bucket

	TLSCertFile string // both or neither
	TLSKeyFile  string

	Issuer           string
	DiscoveryURL     string // "" = below the issuer
	Introspection    string // URL of the endpoint; "" = as discovered
	DefaultOrg       string // of callers whose token names none; "" = none
	Audience         string
	ClientID         string
	ClientSecret     string // from either setting, once Read has returned
	ClientSecretFile string
	ClientKey        authz.ClientKey // from its file, once Read has returned
	ClientKeyFile    string
	SecretsInFile    []string // the settings whose secrets the configuration file itself holds
	Realm            string

	CacheTTL             time.Duration
	IntrospectionTimeout time.Duration
	Unknown              limit.Rate // of unknown tokens from one address

	Source    string // of permissions
	Claims    string // kind of claims that roles and organisation are read from
	ProjectID string
	Policy    authz.Policy

	RoleClaims        []authz.ClaimPath // nil = those of Claims
	OrganizationClaim authz.ClaimPath   // nil = that of Claims
	AllowPAT          bool

	AllowImpersonation bool

	Pictures              picture.Config
	ResizedBytes          int    // of smaller pictures in memory; 0 = none are kept
	DefaultImage          string // file of the picture for people who have none; "" = none
	PublicAssets          bool
	Reflection            bool
	RegisterOnAdminUpload bool
	Directory             string // who is asked about users unknown here: "none" or DirectoryZitadel
	Organizations         []string
	Page                  bool
	PageClientID          string   // of the server's own pages; "" = nobody signs in there
	PageScopes            []string // that it asks for; nil = ZITADEL's
	Origins               []string // pages of these may call the API
	CORSHeaders           []string // and send these request headers, too

	TrustedProxies          []netip.Prefix
	CallerRate, AddressRate limit.Rate

	MaxRequests, MaxRequestsPerAddress       int
	MaxConnections, MaxConnectionsPerAddress int
	MaxHeaderBytes                           int
	IdleTimeout                              time.Duration // of connections
	Keep                                     storage.Retention
	AuditStream                              string // "-" = standard output, "" = none

	HookOrganizations map[string][]string // by the names of hooks
	HookSecrets       string              // the directory of their secrets, "" = no hooks
	HookZitadel       []string            // those of ZITADEL

	Watch Watch

	ShutdownDelay time.Duration
	ShutdownGrace time.Duration
	LogLevel      slog.Level
	LogFormat     string // "text" or "json"
}

// Default returns what serve goes by where nothing is set. Some settings have no default, see Read.
func Default() Config {
	return Config{
		Listen:               "127.0.0.1:8080",
		Realm:                "avatard",
		CacheTTL:             5 * time.Second,
		IntrospectionTimeout: 2500 * time.Millisecond,
		Pictures:             picture.Config{MaxUploadBytes: picture.DefaultUploadBytes, MaxPixels: picture.DefaultPixels},
		ResizedBytes:         server.DefaultRenditionBytes,
		Unknown:              limit.Rate{PerSecond: authz.DefaultUnknownPerSecond, Burst: authz.DefaultUnknownBurst},
		Source:               sourceClaims,
		Claims:               claimsZitadel,
		Directory:            directoryNone,
		Policy:               authz.DefaultPolicy(),
		PublicAssets:         true,
		Reflection:           true,
		Keep:                 storage.Retention{Changes: 400 * day, Refusals: 30 * day, RefusalRows: 1_000_000, Receipts: 3 * 365 * day},
		Watch:                Watch{TracingRatio: 1},
		MaxRequests:          server.DefaultRequests, MaxRequestsPerAddress: server.DefaultRequestsPerAddress,
		MaxConnections: server.DefaultConnections, MaxConnectionsPerAddress: server.DefaultConnectionsPerAddress,
		MaxHeaderBytes: server.DefaultHeaderBytes,
		IdleTimeout:    server.DefaultIdleTimeout,
		ShutdownGrace:  35 * time.Second,
		LogFormat:      "text",
	}
}

// StartOrganizations are those that serve registers at each start.
func (c Config) StartOrganizations() []string {
	if c.DefaultOrg == "" {
		return c.Organizations
	}
	return append(slices.Clone(c.Organizations), c.DefaultOrg)
}

// Watch is what serve can be told about metrics and traces.
type Watch struct {
	MetricsListen      string // "" = off
	TracingEndpoint    string // "" = off
	TracingRatio       float64
	TracingTrustParent bool
}
