package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// version returns the version to show: that of the module, which Go takes from the tag of the commit, else "devel".
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// versionFlag is --version.
type versionFlag bool

// BeforeReset is called by the parser when the flag is given.
func (versionFlag) BeforeReset(p *Program) error {
	_, err := io.WriteString(p.Stdout, versionLine())
	return &shown{err}
}

// versionCommand is "version".
type versionCommand struct{}

// Run prints what --version prints.
func (*versionCommand) Run(p *Program) error {
	_, err := io.WriteString(p.Stdout, versionLine())
	return err
}

func versionLine() string {
	var b strings.Builder
	fmt.Fprintf(&b, "avatard %s", version())
	if commit := buildCommit(); commit != "" {
		fmt.Fprintf(&b, " (commit %s)", commit)
	}
	fmt.Fprintf(&b, ", %s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return b.String()
}

// buildCommit returns the commit that the binary was built from, with "+changes" when it was not all; "" when
// the build does not tell.
func buildCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var commit, changes string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changes = "+changes"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changes
}
