package main

import (
	"flag"
	"slices"
)

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

// flagText remembers that a flag was given, and as what; whoever reads the configuration judges the text.
type flagText struct {
	text *string
	bool bool
}

func (f *flagText) String() string { return "" }

func (f *flagText) Set(s string) error { f.text = &s; return nil }

// IsBoolFlag lets "--assets-public" stand without a value, which then reads "true".
func (f *flagText) IsBoolFlag() bool { return f.bool }

// given returns the text that a setting's flag was given, before it is judged.
func (f *configFlags) given(key string) (text string, ok bool) {
	if v := f.values[key]; v != nil && v.text != nil {
		return *v.text, true
	}
	return "", false
}
