// Package e2e holds the tests of the program as a whole: the commands, the server behind its command line, the wire
// contract (contract_*_test.go, testdata/contract), the clients of others (testdata/clients), proxies (testdata/proxies),
// and the pages of docs/, whose commands and tables they check. They run in the root of the repository.
package e2e
