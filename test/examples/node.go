package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
)

const nodeFolder = "examples/node"

// node builds the service and lets it delete over gRPC with a token from a file, and over Connect with client credentials, through a proxy
// that says 503 once.
func node(ctx context.Context, d *dev) error {
	if err := d.asWritten(ctx, nodeFolder, nil); err != nil {
		return err
	}
	file := filepath.Join(d.dir, "token")
	if err := os.WriteFile(file, []byte(d.of("TOKEN_MANAGER")+"\n"), 0o600); err != nil {
		return err
	}
	return errors.Join(d.wantGone(ctx, "USER_ALICE"), nodeOverGRPC(ctx, d, file), nodeOverConnect(ctx, d))
}

func nodeOverGRPC(ctx context.Context, d *dev, file string) error {
	ids := d.of("USER_ALICE") + "\n\nnobody-here\n" + d.of("USER_BOB") + "\n"
	return errors.Join(d.give(ctx),
		d.try(ctx, nodeFolder, ids, map[string]string{"TOKEN_FILE": file}, 1,
			[]string{d.of("USER_ALICE") + " gone ", d.of("USER_BOB") + " gone ", "nobody-here NOT GONE NotFound [USER-35N8f] "}, "node", "dist/main.js"),
		d.wantGone(ctx, "USER_ALICE", "USER_BOB"),
		d.try(ctx, nodeFolder, d.of("USER_CAROL"), map[string]string{"TOKEN_FILE": file, "ORG": d.of("ORG_GLOBEX")}, 1,
			[]string{"NOT GONE NotFound [AUTHZ-cdgFk] "}, "node", "dist/main.js"),
		d.try(ctx, nodeFolder, "", nil, 2, []string{"TOKEN_ENDPOINT is not set"}, "node", "dist/main.js"),
	)
}

func nodeOverConnect(ctx context.Context, d *dev) error {
	target, err := url.Parse(d.of("AVATARD_URL"))
	if err != nil {
		return err
	}
	var calls, asked atomic.Int32
	// Both halves are encoded as in forms before they are joined (RFC 6749 section 2.3.1).
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("the%20job:s%3A%20cret"))
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 1 {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code":"unavailable","message":"not now"}`) // a client that left has its answer
	}))
	defer busy.Close()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		form, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		if err != nil || r.Header.Get("Authorization") != basic || string(form) != "grant_type=client_credentials&scope=openid" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": d.of("TOKEN_MANAGER"), "expires_in": 600})
	}))
	defer tokens.Close()
	file := filepath.Join(d.dir, "secret")
	if err := os.WriteFile(file, []byte("s: cret\n"), 0o600); err != nil {
		return err
	}
	with := map[string]string{"AVATARD_URL": busy.URL, "FORM": "connect", "TOKEN_ENDPOINT": tokens.URL, "CLIENT_ID": "the job",
		"CLIENT_SECRET_FILE": file, "SCOPE": "openid"}
	ids := d.of("USER_ALICE") + "\n" + d.of("USER_BOB")
	err = errors.Join(d.give(ctx),
		d.try(ctx, nodeFolder, ids, with, 0, []string{d.of("USER_ALICE") + " gone ", d.of("USER_BOB") + " gone "}, "node", "dist/main.js"),
		d.wantGone(ctx, "USER_ALICE", "USER_BOB"))
	if err == nil && (calls.Load() != 3 || asked.Load() != 1) {
		err = fmt.Errorf("two deletes, of which one was put off, made %d calls and asked for %d tokens, want 3 and 1", calls.Load(), asked.Load())
	}
	return err
}
