package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"avatard/authz"
	"avatard/authz/limit"
	"avatard/server"
	"avatard/server/picture"
	"avatard/storage/embedded"
)

// config is what serve can be told. settings.go describes each field for the people who set them.
type config struct {
	File string // that the settings come from, "" = none

	Listen string
	Data   string

	TLSCertFile string // both or neither
	TLSKeyFile  string

	Issuer           string
	DiscoveryURL     string // "" = below the issuer
	Introspection    string // URL of the endpoint; "" = as discovered
	DefaultOrg       string // of callers whose token names none; "" = none
	Audience         string
	ClientID         string
	ClientSecret     string // from either setting, once readConfig has returned
	ClientSecretFile string
	ClientKey        authz.ClientKey // from its file, once readConfig has returned
	ClientKeyFile    string
	SecretInFile     string // the configuration file, where it holds the client's secret itself
	Realm            string

	CacheTTL             time.Duration
	IntrospectionTimeout time.Duration
	Unknown              limit.Rate // of unknown tokens from one address

	Source    string // of permissions
	ProjectID string
	Policy    authz.Policy
	AllowPAT  bool

	AllowImpersonation bool

	Pictures              picture.Config
	PublicAssets          bool
	Reflection            bool
	RegisterOnAdminUpload bool
	Organizations         []string
	Origins               []string // pages of these may call the API
	CORSHeaders           []string // and send these request headers, too

	TrustedProxies          []netip.Prefix
	CallerRate, AddressRate limit.Rate

	MaxRequests, MaxRequestsPerAddress       int
	MaxConnections, MaxConnectionsPerAddress int
	MaxHeaderBytes                           int
	IdleTimeout                              time.Duration // of connections
	Keep                                     embedded.Retention

	Watch watchConfig

	ShutdownDelay time.Duration
	ShutdownGrace time.Duration
	LogLevel      slog.Level
	LogFormat     string // "text" or "json"
}

func defaultConfig() config {
	return config{
		Listen:               "127.0.0.1:8080",
		Realm:                "avatard",
		CacheTTL:             5 * time.Second,
		IntrospectionTimeout: 2500 * time.Millisecond,
		Pictures:             picture.Config{MaxUploadBytes: picture.DefaultUploadBytes, MaxPixels: picture.DefaultPixels},
		Unknown:              limit.Rate{PerSecond: authz.DefaultUnknownPerSecond, Burst: authz.DefaultUnknownBurst},
		Source:               sourceClaims,
		Policy:               authz.DefaultPolicy(),
		PublicAssets:         true,
		Reflection:           true,
		Keep:                 embedded.Retention{Changes: 400 * day, Refusals: 30 * day, RefusalRows: 1_000_000, Receipts: 3 * 365 * day},
		Watch:                watchConfig{TracingRatio: 1},
		MaxRequests:          server.DefaultRequests, MaxRequestsPerAddress: server.DefaultRequestsPerAddress,
		MaxConnections: server.DefaultConnections, MaxConnectionsPerAddress: server.DefaultConnectionsPerAddress,
		MaxHeaderBytes: server.DefaultHeaderBytes,
		IdleTimeout:    server.DefaultIdleTimeout,
		ShutdownGrace:  35 * time.Second,
		LogFormat:      "text",
	}
}

// organizations are those to register at start.
func (c config) organizations() []string {
	if c.DefaultOrg == "" {
		return c.Organizations
	}
	return append(slices.Clone(c.Organizations), c.DefaultOrg)
}

// fault is one thing that is wrong with a configuration.
type fault struct {
	where   string // the setting as it was given: key, flag or variable, with line where there is one
	problem string // what is wrong; what is expected
}

// configError holds every fault of a configuration, so that one look is enough to mend them all.
type configError struct{ faults []fault }

func (e *configError) Error() string {
	var b strings.Builder
	if len(e.faults) == 1 {
		b.WriteString("the configuration has a fault:")
	} else {
		fmt.Fprintf(&b, "the configuration has %d faults:", len(e.faults))
	}
	for _, f := range e.faults {
		fmt.Fprintf(&b, "\n  %s: %s", f.where, f.problem)
	}
	return b.String()
}

// configFlags is where the flags of a command leave the settings they were given.
type configFlags struct {
	file   string
	values map[string]*flagText // by key
}

// addConfigFlags defines --config and a flag for each of the settings named, all of them when none is.
func addConfigFlags(fs *flag.FlagSet, keys ...string) *configFlags {
	cf := &configFlags{values: map[string]*flagText{}}
	fs.StringVar(&cf.file, "config", "", "YAML `FILE` with settings")
	for _, s := range settings() {
		if len(keys) > 0 && !slices.Contains(keys, s.key) {
			continue
		}
		v := &flagText{bool: s.isSwitch}
		cf.values[s.key] = v
		fs.Var(v, s.flagName(), s.about)
	}
	return cf
}

// readConfig puts the configuration together: defaults, then the file, then variables, then flags. required
// names the settings that the command cannot do without. The error is a *configError with every fault.
func readConfig(environ []string, flags *configFlags, required ...string) (config, error) {
	cfg, _, err := readConfigAndSources(environ, flags, required...)
	return cfg, err
}

// readConfigAndSources is readConfig that also tells, by key, where the values of those settings stand that are not the defaults.
func readConfigAndSources(environ []string, flags *configFlags, required ...string) (config, map[string]settingSource, error) {
	cfg := defaultConfig()
	r := configReader{cfg: &cfg, given: map[string]bool{}, sources: map[string]settingSource{}}
	r.variables(environ, flags.file)
	for _, s := range settings() {
		if v := flags.values[s.key]; v != nil && v.text != nil {
			r.set(s, "--"+s.flagName(), textValue(*v.text))
		}
	}
	if !r.unread {
		r.finish(required)
	}
	if len(r.faults) > 0 {
		return config{}, r.sources, &configError{r.faults}
	}
	return cfg, r.sources, nil
}

// configReader collects values and what is wrong with them.
type configReader struct {
	cfg    *config
	given  map[string]bool // settings that some source named, rightly or not
	faults []fault
	unread bool   // nothing is known of what stands in the file, so nothing can be missed
	dir    string // that relative paths start from: the file's for what stands in it, "" = where the process is
	// sources tells of the last of them, nil where nobody asks.
	sources map[string]settingSource
}

func (r *configReader) fault(where, format string, args ...any) {
	r.faults = append(r.faults, fault{where, fmt.Sprintf(format, args...)})
}

func (r *configReader) set(s setting, where string, v value) {
	r.given[s.key] = true
	if r.sources != nil {
		r.sources[s.key] = settingSource{where, s.written(v)}
	}
	switch {
	case s.table != nil:
		rows, err := v.asTable() // what can be read of it, so that all of it is judged
		r.faultsOf(where, errors.Join(err, s.table(r.cfg, rows)))
	case s.list != nil:
		items, err := v.asList()
		r.faultsOf(where, errors.Join(err, s.list(r.cfg, items)))
	default:
		text, err := v.asText()
		if err == nil && text == "" {
			err = errors.New("is empty; expected a value")
		}
		if s.isPath && err == nil && !filepath.IsAbs(text) {
			text = filepath.Join(r.dir, text)
			if r.sources != nil {
				r.sources[s.key] = settingSource{where, text} // the file that is meant
			}
		}
		if err == nil {
			err = s.text(r.cfg, text)
		}
		r.faultsOf(where, err)
	}
}

// faultsOf notes a fault for each error that err joins.
func (r *configReader) faultsOf(where string, err error) {
	if err == nil {
		return
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			r.faultsOf(where, e)
		}
		return
	}
	r.fault(where, "%v", err)
}

// variables reads the configuration file, which a variable may name, and then every AVATARD_ variable. An empty
// variable counts as none: compose files and unit files often pass one on for a setting that is not set.
func (r *configReader) variables(environ []string, file string) {
	given := map[string]string{}
	for _, kv := range environ {
		if name, text, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AVATARD_") {
			given[name] = text
		}
	}
	if file == "" {
		file = given[configVariable]
	}
	if file != "" {
		r.cfg.File = file
		r.file(file)
		if r.given["client_secret"] {
			r.cfg.SecretInFile = file
		}
	}
	for _, s := range settings() {
		name := s.variable()
		if text := given[name]; text != "" {
			r.set(s, name, textValue(text))
		}
		delete(given, name)
	}
	for _, name := range notSettings {
		delete(given, name)
	}
	for _, name := range sortedKeys(given) {
		r.fault(name, "is no variable of avatard; expected one of those in \"avatard help serve\"")
	}
}

// finish looks at what only shows when all is read.
func (r *configReader) finish(required []string) {
	for _, s := range settings() {
		if slices.Contains(required, s.key) && !r.given[s.key] && !(s.key == "client_secret" && (r.given["client_secret_file"] || r.given["client_key_file"])) {
			r.fault(s.key, "is not set; expected in the file, as --%s or as %s: %s", s.flagName(), s.variable(), s.about)
		}
	}
	if r.given["cors.headers"] && !r.given["cors.origins"] {
		r.fault("cors.headers", "counts for nothing without cors.origins; expected the origins of the pages that send them")
	}
	r.finishIdentity(required)
	r.checkCertificate(required)
}

func readBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is over %d bytes", file, limit)
	}
	return data, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
