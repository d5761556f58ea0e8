package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage"
	"example.org/avatard/test/program"
)

// serveVariable makes the program the server that it attacks: "clear", "tls", or "proxied", which is in clear behind
// a proxy at 127.0.0.1 that says where calls come from.
const serveVariable = "HELD_SERVES"

// nothing is a store that is ready and has nothing.
type nothing struct{ storage.Store }

func (nothing) Ready(context.Context) error { return nil }

// stranger knows nobody.
type stranger struct{}

func (stranger) Authenticate(context.Context, http.Header) (authz.Identity, error) {
	return authz.Identity{}, authz.ErrNoToken
}

func serve(ctx context.Context) error {
	server.TuneRuntime(os.Getenv) //nolint:forbidigo // a main of its own
	cfg := server.Config{Store: nothing{}, Issuer: "x", Authenticator: stranger{}, Permissions: authz.NewClaims(authz.DefaultPolicy())}
	mode := os.Getenv(serveVariable) //nolint:forbidigo // a main of its own
	if mode == "proxied" {
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		cfg.ClientAddress = server.ForwardedAddress(cfg.Proxies)
	}
	s, err := server.New(cfg)
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, ln.Addr())
	if mode != "tls" {
		return s.Serve(ctx, ln)
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	return s.ServeTLS(ctx, ln, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil })
}

func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// child is a server in a process of its own.
type child struct {
	at   string
	pid  int
	stop func()
}

func startChild(ctx context.Context, secure bool) (*child, error) {
	mode := "clear"
	if secure {
		mode = "tls"
	}
	p, err := program.Again(ctx, os.Stderr, []string{serveVariable + "=" + mode})
	if err != nil {
		return nil, err
	}
	at, err := bufio.NewReader(p.Out).ReadString('\n')
	return &child{strings.TrimSpace(at), p.Cmd.Process.Pid, func() { _ = p.Cmd.Process.Kill(); _ = p.Stop() }}, err
}

// handshake makes a connection one of TLS that speaks HTTP/2.
func handshake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // to itself
	return secure, secure.HandshakeContext(ctx)
}

// gone reports whether the server has hung up, without reading what it says.
func gone(conn net.Conn) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	hung := false
	err = raw.Control(func(fd uintptr) {
		code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		hung = err != nil || code != 0
	})
	return hung || err != nil
}
