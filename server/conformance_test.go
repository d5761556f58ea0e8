package server

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"example.org/avatard/authz"
	"example.org/avatard/storage"
)

// conformanceTypes is the variable that makes this test binary a server for the suite. Its value is the file with
// the descriptors of the suite's messages.
const conformanceTypes = "AVATARD_TEST_CONFORMANCE_TYPES"

// fewestConformanceCases is the number of cases that version 1.0.7 of the suite has for testdata/conformance.yaml. Fewer would mean
// that the server lost a feature.
const fewestConformanceCases = 1399

func TestMain(m *testing.M) {
	if types := os.Getenv(conformanceTypes); types != "" {
		if err := serveConformance(types, os.Stdin, os.Stdout); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestConformance runs every unary case of the Connect conformance suite, for the three protocols over HTTP/1.1 and
// HTTP/2, in the clear and with TLS, against the middleware and the HTTP server of the product.
func TestConformance(t *testing.T) {
	cases := runConformance(t)
	if cases < fewestConformanceCases {
		t.Errorf("%d cases passed, want at least %d", cases, fewestConformanceCases)
	}
	t.Logf("%d cases passed", cases)
}

// runConformance runs the suite, with flags of its runner, and returns how many cases it has. All of them have passed.
func runConformance(t *testing.T, flags ...string) int {
	t.Helper()
	runner, types := conformanceFile(t, "connectconformance"), conformanceFile(t, "connectconformance.binpb")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	flags = append(flags, "--mode", "server", "--conf", filepath.Join("testdata", "conformance.yaml"), "--max-servers", "2", "--", self)
	cmd := exec.CommandContext(t.Context(), runner, flags...)
	cmd.Env = append(os.Environ(), conformanceTypes+"="+types)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	total := regexp.MustCompile(`Total cases: (\d+)\s+(\d+) passed, 0 failed`).FindSubmatch(out)
	if total == nil || string(total[1]) != string(total[2]) {
		t.Fatalf("not all cases passed, or no summary:\n%s", out)
	}
	cases, _ := strconv.Atoi(string(total[1]))
	return cases
}

// conformanceFile finds a file that .tools/install.sh made.
func conformanceFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		message := fmt.Sprintf("the conformance suite is missing, run .tools/install.sh connectconformance: %v", err)
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return path
}

// anyone accepts every call: the suite sends no tokens.
type anyone struct{}

func (anyone) Authenticate(context.Context, http.Header) (authz.Identity, error) {
	return authz.Identity{Issuer: issuer, Subject: alice, Organization: acme}, nil
}

// serveConformance is the server under test: it reads a ServerCompatRequest, starts what that asks for, writes a
// ServerCompatResponse and serves until a signal ends it.
func serveConformance(types string, in io.Reader, out io.Writer) error {
	if err := registerConformance(types); err != nil {
		return err
	}
	var asked struct {
		UseTLS              bool
		MessageReceiveLimit int
		ServerCreds         struct{ Cert, Key []byte }
	}
	if err := readConformance(in, &asked); err != nil {
		return err
	}
	s, err := New(Config{Store: struct{ storage.Store }{}, Issuer: issuer, Authenticator: anyone{},
		Permissions: authz.NewClaims(authz.DefaultPolicy())})
	if err != nil {
		return err
	}
	if err := s.mountConformance(asked.MessageReceiveLimit); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answer := map[string]any{"host": "127.0.0.1", "port": ln.Addr().(*net.TCPAddr).Port}
	serve := func() error { return s.Serve(context.Background(), ln) }
	if asked.UseTLS {
		pair, err := tls.X509KeyPair(asked.ServerCreds.Cert, asked.ServerCreds.Key)
		if err != nil {
			return err
		}
		answer["pemCert"] = asked.ServerCreds.Cert
		serve = func() error {
			return s.ServeTLS(context.Background(), ln, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil })
		}
	}
	if err := writeConformance(out, answer); err != nil { // the backlog of ln takes connections already
		return err
	}
	return serve() // SIGTERM ends the process
}

// readConformance reads one message of the runner, which puts the length before it, into v by way of JSON.
func readConformance(in io.Reader, v any) error {
	var size uint32
	if err := binary.Read(in, binary.BigEndian, &size); err != nil {
		return err
	}
	raw := make([]byte, min(size, 1<<20))
	if _, err := io.ReadFull(in, raw); err != nil {
		return err
	}
	message, err := conformanceMessage("ServerCompatRequest")
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(raw, message); err != nil {
		return err
	}
	text, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// writeConformance writes v as a message for the runner.
func writeConformance(out io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	message, err := conformanceMessage("ServerCompatResponse")
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(text, message); err != nil {
		return err
	}
	raw, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...))
	return err
}
