package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Read puts the configuration together: defaults, then the file, then variables, then flags. required
// names the settings that the caller cannot do without. The error is a *Error with every fault. Of the files that
// settings name, those of a cluster's secrets are opened where "data" is required, and no others.
func Read(environ []string, flags *Flags, required ...string) (Config, error) {
	cfg := Default()
	r := reader{cfg: &cfg, given: map[string]bool{}}
	err := r.read(environ, flags, required)
	return cfg, err
}

// ReadWithFiles is Read that also opens the files of the client's secret or key, and of the certificate, and finds their faults.
// sources tells by key where the values of those settings stand that are not the defaults.
func ReadWithFiles(environ []string, flags *Flags, required ...string) (cfg Config, sources map[string]Source, err error) {
	cfg = Default()
	r := reader{cfg: &cfg, given: map[string]bool{}, sources: map[string]Source{}, opensFiles: true}
	err = r.read(environ, flags, required)
	return cfg, r.sources, err
}

// read reads every source. After a fault the configuration is empty.
func (r *reader) read(environ []string, flags *Flags, required []string) error {
	r.variables(environ, flags.File)
	for _, s := range Settings() {
		if text, ok := flags.Given(s.Key); ok {
			r.set(s, "--"+s.FlagName(), textValue(text))
		}
	}
	if !r.unread {
		r.finish(required)
	}
	if len(r.faults) > 0 {
		*r.cfg = Config{}
		return &Error{r.faults}
	}
	return nil
}

// reader collects values and what is wrong with them.
type reader struct {
	cfg    *Config
	given  map[string]bool // settings that some source named, rightly or not
	faults []Fault
	unread bool   // nothing is known of what stands in the file, so nothing can be missed
	dir    string // that relative paths start from: the file's for what stands in it, "" = where the process is
	// sources tells of the last of them, nil where nobody asks.
	sources    map[string]Source
	opensFiles bool // those of secret, key and certificate
}

func (r *reader) fault(where, format string, args ...any) {
	r.faults = append(r.faults, Fault{where, fmt.Sprintf(format, args...)})
}

func (r *reader) set(s Setting, where string, v value) {
	r.given[s.Key] = true
	if r.sources != nil {
		r.sources[s.Key] = Source{where, s.written(v)}
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
		if s.isPath && err == nil && text != "-" && !filepath.IsAbs(text) {
			text = filepath.Join(r.dir, text)
			if r.sources != nil {
				r.sources[s.Key] = Source{where, text} // the file that is meant
			}
		}
		if err == nil {
			err = s.text(r.cfg, text)
		}
		r.faultsOf(where, err)
	}
}

// faultsOf notes a fault for each error that err joins.
func (r *reader) faultsOf(where string, err error) {
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
func (r *reader) variables(environ []string, file string) {
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
		for _, s := range Settings() {
			if s.Secret && r.given[s.Key] && (s.Key != "database" || holdsPassword(r.cfg.Database)) {
				r.cfg.SecretsInFile = append(r.cfg.SecretsInFile, s.Key)
			}
		}
	}
	for _, s := range Settings() {
		name := s.Variable()
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
func (r *reader) finish(required []string) {
	for _, s := range Settings() {
		if slices.Contains(required, s.Key) && !slices.ContainsFunc(s.orOneOf(), func(key string) bool { return r.given[key] }) {
			r.fault(s.Key, "is not set; expected in the file, as --%s or as %s: %s", s.FlagName(), s.Variable(), s.About)
		}
	}
	if r.given["cors.headers"] && !r.given["cors.origins"] {
		r.fault("cors.headers", "counts for nothing without cors.origins; expected the origins of the pages that send them")
	}
	r.finishCluster(r.opensFiles || slices.Contains(required, "data"))
	r.finishIdentity()
	r.finishHooks()
	r.checkCertificate()
}

// ReadBounded reads a file of at most limit bytes.
func ReadBounded(file string, limit int64) ([]byte, error) {
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

// Source is where a setting's value came from.
type Source struct {
	Where string // key with file and line, variable or flag
	Text  string // as it was given
}
