// Package testbed runs the real program for the proofs of its guarantee: a process of its own on a data directory of its own,
// with the whole HTTP stack and an identity provider, that can be killed and started again as often as a proof likes.
//
//	build.go     the program, with the build tags that a proof needs
//	testbed.go   a place to run it: directories, people and their tokens
//	server.go    one run of it: start, kill, stop; current.go is the one that runs, for those who go on with the next one
//	cluster.go   settings for several runs at once, on PostgreSQL and a bucket
//	client.go    its callers, which are those of package test/client
//	pictures.go  pictures whose stored form is known, and whose every piece tells which one it is from; package internal/pieces finds those in files
//	metadata.go  what the database of a stopped server holds; fsck.go lets the program itself compare it with the bytes
//
// The identity provider lives in the proof's process, so tokens outlive the server. Nothing in this package judges; see
// the folders beside it.
package testbed

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"example.org/avatard/authz/devidp"
)

const (
	// Organization is the id of the organisation in which everybody is.
	Organization = "69629023906488334"
	// OtherOrganization is that of another one, in which the testbed registers nobody. Servers do not know it by their settings.
	OtherOrganization = "69629023906488335"
)

const (
	project      = "69629023906488340"
	introspector = "avatard-server"
	managerID    = "150317214593155202"
	ownerID      = "150317214593155203"
	firstPerson  = 300000000000000001
	readTimeout  = 10 * time.Second
	introspected = "1m" // how long the server believes the provider, whose tokens never change here
)

// Config says what a testbed is like.
type Config struct {
	// Binary is the program, from Build.
	Binary string
	// Dir takes everything that the testbed writes. It must exist; what is in it from an earlier testbed is used on.
	Dir string
	// People is how many users have a token of their own.
	People int
	// Environ is added to the server's environment, which is otherwise empty, at each start.
	Environ []string
	// Flags are added to its command line.
	Flags []string
	// Command is the one that serves, with its own flags; nil = serve.
	Command []string
	// Shared tells that the data is not in the testbed's directory but where the environment says, so that several processes may run.
	Shared bool
}

// Person is a user.
type Person struct {
	ID string
	// Token is an access token of that user, without any role.
	Token string
}

// Testbed is a place where the program runs, one process at a time unless the data is shared. Its methods may be called concurrently,
// except for those of the Server that Start returned; Start itself where the data is shared.
type Testbed struct {
	cfg     Config
	issuer  string
	secret  string
	people  []Person
	manager string
	owner   string
	http    *http.Server
	starts  atomic.Int64
}

// New makes the directories and starts the identity provider.
func New(cfg Config) (*Testbed, error) {
	s := &Testbed{cfg: cfg}
	for _, dir := range []string{s.Data(), s.Temp()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return nil, err
	}
	provider, err := s.invite("http://" + ln.Addr().String() + "/idp")
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s.http = &http.Server{Handler: provider.Handler(), ReadHeaderTimeout: readTimeout}
	go func() { _ = s.http.Serve(ln) }()
	return s, nil
}

// invite makes the provider and a token for everybody.
func (s *Testbed) invite(issuer string) (*devidp.Provider, error) {
	s.issuer = issuer
	cfg := devidp.Config{
		Issuer:              issuer,
		ProjectID:           project,
		IntrospectionClient: devidp.Client{ID: introspector},
		ApplicationID:       "avatard-app", // people's tokens are given to it
		Organizations: []devidp.Organization{{ID: Organization, Name: "Acme", Domain: "acme.example"},
			{ID: OtherOrganization, Name: "Globex", Domain: "globex.example"}},
		Machines: []devidp.Account{
			{ID: managerID, Login: "manager", Name: "Manager", Organization: Organization, Roles: map[string][]string{"ORG_USER_MANAGER": {Organization}}},
			{ID: ownerID, Login: "owner", Name: "Owner", Organization: OtherOrganization, Roles: map[string][]string{"ORG_OWNER": {OtherOrganization}}},
		},
	}
	for i := range s.cfg.People {
		id := strconv.Itoa(firstPerson + i)
		s.people = append(s.people, Person{ID: id})
		cfg.People = append(cfg.People, devidp.Account{ID: id, Login: "person-" + strconv.Itoa(i), Name: "Person " + strconv.Itoa(i),
			Organization: Organization})
	}
	provider, err := devidp.New(cfg)
	if err != nil {
		return nil, err
	}
	s.secret = provider.IntrospectionClient().Secret
	if s.manager, err = provider.Mint(devidp.TokenSpec{Subject: managerID}); err != nil {
		return nil, err
	}
	if s.owner, err = provider.Mint(devidp.TokenSpec{Subject: ownerID}); err != nil {
		return nil, err
	}
	for i := range s.people {
		if s.people[i].Token, err = provider.Mint(devidp.TokenSpec{Subject: s.people[i].ID}); err != nil {
			return nil, fmt.Errorf("person %d: %w", i, err)
		}
	}
	return provider, nil
}

// Close ends the identity provider. The directories stay.
func (s *Testbed) Close() error { return s.http.Close() }

// Dir returns the directory of everything that the testbed has written: data, temporary files, logs.
func (s *Testbed) Dir() string { return s.cfg.Dir }

// Issuer returns the address of the identity provider.
func (s *Testbed) Issuer() string { return s.issuer }

// Data returns the data directory.
func (s *Testbed) Data() string { return filepath.Join(s.cfg.Dir, "data") }

// Temp returns the directory that the server takes for temporary files.
func (s *Testbed) Temp() string { return filepath.Join(s.cfg.Dir, "tmp") }

// People returns the users. None is registered with the server before its first upload.
func (s *Testbed) People() []Person { return s.people }

// Manager returns a token that may delete and upload for every user.
func (s *Testbed) Manager() string { return s.manager }

// Owner returns a token that may do everything in OtherOrganization.
func (s *Testbed) Owner() string { return s.owner }
