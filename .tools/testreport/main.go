// Command testreport reads the output of `go test -json` and prints what a person wants of it: one line a package,
// the whole output of tests that failed, and the names of tests that were skipped. It exits with 1 on any failure and,
// because a test that was not run proves nothing, on any skip.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of the stream: see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// report copies from in to out as the package comment says. ok is false when a test or a package failed, a test was
// skipped, or nothing ran at all.
func report(in io.Reader, out io.Writer) (ok bool, err error) {
	output := map[[2]string][]string{} // of each test and package so far
	var skipped []string
	failed, passed := 0, 0

	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // the go command itself, for example about a download
			continue
		}
		key := [2]string{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "output":
			if e.Test == "" && isSummary(e.Output) {
				fmt.Fprint(out, e.Output)
				continue
			}
			output[key] = append(output[key], e.Output)
		case "pass":
			if e.Test != "" {
				passed++
			}
			delete(output, key)
		case "fail":
			failed++
			for k, text := range output {
				if k == key || e.Test == "" && k[0] == e.Package { // a package that ended takes unfinished tests with it
					fmt.Fprint(out, strings.Join(text, ""))
					delete(output, k)
				}
			}
		case "skip":
			if e.Test != "" { // without a test: a package that has none
				skipped = append(skipped, e.Package+" "+e.Test+"\n"+strings.Join(output[key], ""))
			}
			delete(output, key)
		}
	}
	for _, s := range skipped {
		fmt.Fprint(out, "skipped, which is a failure here: ", s)
	}
	fmt.Fprintf(out, "%d tests passed, %d failures, %d skipped\n", passed, failed, len(skipped))
	return failed == 0 && len(skipped) == 0 && passed > 0, lines.Err()
}

// isSummary reports whether a line is one of those that close a package: "ok", "FAIL" and "?" with its name.
func isSummary(line string) bool {
	word, rest, found := strings.Cut(line, "\t")
	word = strings.TrimSpace(word)
	return found && rest != "" && (word == "ok" || word == "FAIL" || word == "?" || word == "")
}
