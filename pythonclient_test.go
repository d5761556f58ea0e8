//go:build unix

package main

import "testing"

// A program that knows nothing but HTTP and JSON.
func TestPythonStandardLibrary(t *testing.T) {
	python := program(t, "python3")
	_, env := startDev(t, "--seed-users", "1", "--seed-bytes", "900")
	plan := newClientPlan(t, env, []string{"Python"})
	plan.check(t, env, tell[clientLine](t, plan, python, "testdata/clients/rest.py"))
}
