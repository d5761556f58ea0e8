//go:build unix

package e2e

import "testing"

// A program that knows nothing but HTTP and JSON.
func TestPythonStandardLibrary(t *testing.T) {
	python := Program(t, "python3")
	_, env := startDev(t, "--seed-users", "1", "--seed-bytes", "900")
	plan := newClientPlan(t, env, []string{"Python"})
	plan.check(t, env, tell[clientLine](t, plan, python, "test/e2e/testdata/clients/rest.py"))
}
