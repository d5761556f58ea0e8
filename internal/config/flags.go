package config

import (
	"flag"
	"slices"
)

// Flags is where the flags of a command leave the settings they were given.
type Flags struct {
	File   string
	values map[string]*flagText // by key
}

// AddFlags defines --config and a flag for each of the settings named, all of them when none is.
func AddFlags(fs *flag.FlagSet, keys ...string) *Flags {
	cf := &Flags{values: map[string]*flagText{}}
	fs.StringVar(&cf.File, "config", "", "YAML `FILE` with settings")
	for _, s := range Settings() {
		if len(keys) > 0 && !slices.Contains(keys, s.Key) {
			continue
		}
		v := &flagText{bool: s.isSwitch}
		cf.values[s.Key] = v
		fs.Var(v, s.FlagName(), s.About)
	}
	return cf
}

// flagText remembers that a flag was given, and as what; whoever reads the configuration judges the text.
type flagText struct {
	text *string
	bool bool
}

func (f *flagText) String() string { return "" }

func (f *flagText) Set(s string) error { f.text = &s; return nil }

// IsBoolFlag lets "--assets-public" stand without a value, which then reads "true".
func (f *flagText) IsBoolFlag() bool { return f.bool }

// Given returns the text that a setting's flag was given, before it is judged.
func (f *Flags) Given(key string) (text string, ok bool) {
	if v := f.values[key]; v != nil && v.text != nil {
		return *v.text, true
	}
	return "", false
}
