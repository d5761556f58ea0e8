package config

// Flags are the settings that a command line gives: Read takes them before all others.
type Flags struct {
	File   string // of --config, "" = none
	values map[string]string
}

// Set notes the text of a setting's flag. Read judges it.
func (f *Flags) Set(key, text string) {
	if f.values == nil {
		f.values = map[string]string{}
	}
	f.values[key] = text
}

// Given returns the text that a setting's flag was given, before it is judged.
func (f *Flags) Given(key string) (text string, ok bool) {
	text, ok = f.values[key]
	return text, ok
}
