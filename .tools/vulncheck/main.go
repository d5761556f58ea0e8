// Command vulncheck reads what `govulncheck -format json` found and says what follows from it. A vulnerability that our
// code calls in a module is a failure: its requirement in go.mod has to be raised. One in the standard library is shown
// with the Go release that mends it, and is not a failure: which release builds the program is chosen where it is built, and
// go.mod names only the oldest that may.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// message is one value of the stream, as far as it is read: see golang.org/x/vuln/internal/govulncheck.
type message struct {
	Config *struct {
		GoVersion string `json:"go_version"`
	} `json:"config"`
	Finding *struct {
		ID    string `json:"osv"`
		Fixed string `json:"fixed_version"`
		Trace []struct {
			Module   string `json:"module"`
			Package  string `json:"package"`
			Function string `json:"function"`
		} `json:"trace"`
	} `json:"finding"`
}

// standardLibrary is how a finding names it.
const standardLibrary = "stdlib"

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// report prints one line for each vulnerability that is called. ok is false when one of them is in a module. A stream
// that does not begin with a scan's configuration is an error, since it says nothing.
func report(in io.Reader, out io.Writer) (ok bool, err error) {
	called := map[string]string{} // line by id
	scanned, release, ok := false, "", true
	for stream := json.NewDecoder(in); ; {
		var m message
		if err := stream.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return false, err
		}
		if m.Config != nil {
			scanned, release = true, m.Config.GoVersion
		}
		// Findings come three times: for a module that is required, a package that is imported, a function that is called.
		if f := m.Finding; f != nil && len(f.Trace) > 0 && f.Trace[0].Function != "" {
			where := f.Trace[0]
			verdict := "RAISE THE REQUIREMENT"
			if where.Module == standardLibrary {
				verdict = "build with a newer Go"
			} else {
				ok = false
			}
			fixed := f.Fixed
			if fixed == "" {
				fixed = "no release yet"
			}
			called[f.ID] = fmt.Sprintf("%s  %s %s, mended in %s: %s", f.ID, where.Module, where.Package, fixed, verdict)
		}
	}
	if !scanned {
		return false, errors.New("no scan in the input")
	}
	for _, key := range slices.Sorted(maps.Keys(called)) {
		fmt.Fprintln(out, called[key])
	}
	fmt.Fprintf(out, "%d known vulnerabilities are called in what %s builds\n", len(called), release)
	return ok, nil
}
