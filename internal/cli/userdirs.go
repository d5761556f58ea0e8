package cli

import (
	"errors"
	"path/filepath"
	"runtime"
)

// Files of the person who runs a command are where the XDG Base Directory Specification has them, also where there is no desktop.

// configDir is for what a person wants kept, such as a login.
func (p *Program) configDir() (string, error) { return p.userDir("XDG_CONFIG_HOME", ".config") }

// stateDir is for what a next run goes on with.
func (p *Program) stateDir() (string, error) {
	return p.userDir("XDG_STATE_HOME", filepath.Join(".local", "state"))
}

// userDir returns our folder in the one that a variable names, else below the home directory.
func (p *Program) userDir(variable, below string) (string, error) {
	if dir := p.variableOf(variable); filepath.IsAbs(dir) { // the specification wants others to be ignored
		return filepath.Join(dir, "avatard"), nil
	}
	home := p.variableOf("HOME")
	if runtime.GOOS == "windows" {
		home = p.variableOf("USERPROFILE")
	}
	if !filepath.IsAbs(home) {
		return "", errors.New("there is no home directory")
	}
	return filepath.Join(home, below, "avatard"), nil
}
