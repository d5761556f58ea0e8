package cluster

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/internal/certtest"
	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster/clustertest"
)

// overTLS is the variable that makes the test binary open a store and nothing else: which authorities a process trusts, it reads once.
const overTLS = "TEST_STORE_OVER_TLS"

func openElsewhere(options string) (code int) {
	var o Options
	err := json.Unmarshal([]byte(options), &o)
	if err == nil {
		var s *Store
		if s, err = Open(context.Background(), o, storage.OpenOptions{}); err == nil {
			err = s.Close()
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// The S3 server may be one of an authority that the system trusts, which SSL_CERT_FILE names, and of no other one.
func TestBucketOverTLS(t *testing.T) {
	ca := certtest.New(t)
	at, err := url.Parse(servers.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	// In front of the server, which hears the name that clients have signed.
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(at))
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that refuse it
	front.TLS = &tls.Config{Certificates: []tls.Certificate{pairOf(t, ca)}}
	front.StartTLS()
	t.Cleanup(front.Close)
	o := options(t, true)
	o.Bucket.Endpoint, o.Bucket.Transport = front.URL, nil
	for _, c := range []struct {
		authority []byte
		refused   string
	}{{certtest.New(t).Root(), "certificate signed by unknown authority"}, {ca.Root(), ""}} {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		roots := filepath.Join(t.TempDir(), "roots.pem")
		if err := os.WriteFile(roots, c.authority, 0o600); err != nil {
			t.Fatal(err)
		}
		open := exec.CommandContext(t.Context(), os.Args[0])
		open.Env = append(open.Environ(), overTLS+"="+string(text), "SSL_CERT_FILE="+roots, "SSL_CERT_DIR="+t.TempDir())
		out, err := open.CombinedOutput()
		if (err == nil) != (c.refused == "") || !strings.Contains(string(out), c.refused) {
			t.Errorf("Open = %v, %s, want %q", err, out, c.refused)
		}
	}
}

// The address of the database may demand TLS and name the authority that it trusts; a server of another one is refused.
func TestDatabaseOverTLS(t *testing.T) {
	own, err := clustertest.Run(clustertest.Options{Port: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Stop)
	made := own.New(t, false)
	conn := sqlOf(t, made.Database)
	ca := certtest.New(t)
	chain, key, _ := ca.Issue()
	for name, text := range map[string][]byte{"tls.crt": chain, "tls.key": key} { // the server has to own its key, and runs as another account
		if _, err := conn.Exec(t.Context(), fmt.Sprintf(`COPY (SELECT unnest(string_to_array('%s', E'\n'))) TO PROGRAM 'umask 077; cat > %s'`, strings.TrimSpace(string(text)), name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{`ALTER SYSTEM SET ssl_cert_file = 'tls.crt'`, `ALTER SYSTEM SET ssl_key_file = 'tls.key'`, `ALTER SYSTEM SET ssl = on`, `SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	demanding := fmt.Sprintf("postgres://avatard@%s/%s?sslmode=require", own.DatabasePort(), made.Name)
	for { // the server does it in its own time, and may say that it is on before it takes such a connection
		encrypted, err := pgx.Connect(t.Context(), demanding)
		if err == nil {
			_ = encrypted.Close(t.Context())
			break
		}
		if !strings.Contains(err.Error(), "server refused TLS connection") {
			t.Fatal(err)
		}
	}
	o := options(t, false) // for its bucket
	address := func(authority []byte) string {
		roots := filepath.Join(t.TempDir(), "roots.pem")
		if err := os.WriteFile(roots, authority, 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("postgres://avatard@%s/%s?sslmode=verify-full&sslrootcert=%s", own.DatabasePort(), made.Name, url.QueryEscape(roots))
	}
	o.Database = address(certtest.New(t).Root())
	if _, err := Open(t.Context(), o, storage.OpenOptions{}); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("Open of a server of another authority = %v", err)
	}
	o.Database = address(ca.Root())
	s := openStore(t, o)
	u := addUser(t, s, "u")
	put(t, s, u)
	remove(t, s, u)
	var encrypted, plain int
	err = conn.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'avatard'`).Scan(&encrypted, &plain)
	if err != nil || encrypted == 0 || plain > 0 {
		t.Errorf("%d connections have TLS and %d have not, %v", encrypted, plain, err)
	}
}

func pairOf(t *testing.T, ca *certtest.Authority) tls.Certificate {
	t.Helper()
	chain, key, _ := ca.Issue()
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
