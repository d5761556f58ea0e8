package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// newFlagSet returns a flag set that leaves all printing to run and report.
func newFlagSet(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

// parseFlags reads args and returns the words that are no flags. Flags may stand before, between and after
// them ("user add USER --org ORG"); after "--" everything is a word.
func parseFlags(fs *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usagef("%v", err)
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// helpOf returns a function that lists the flags that a constructor defines.
func helpOf[T any](define func(fs *flag.FlagSet) T) func(io.Writer) {
	return func(w io.Writer) {
		fs := newFlagSet("")
		define(fs)
		fs.VisitAll(func(f *flag.Flag) {
			name, usage := flag.UnquoteUsage(f)
			if f.DefValue != "" {
				usage += fmt.Sprintf(" (default %s)", f.DefValue)
			}
			fmt.Fprintf(w, "  --%s %s\n        %s\n", f.Name, name, usage)
		})
	}
}
