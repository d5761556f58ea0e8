package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"connectrpc.com/connect"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage"
)

const (
	user    = "100000000000000001"
	org     = "69629023906488334"
	token   = "the-token-of-the-caller"
	planted = "s3cr3t-of-the-inside"
	parent  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// instant removes nothing in no time, or fails.
type instant struct{ storage.Store }

func (instant) HasOrganization(context.Context, string) (bool, error) { return true, nil }
func (instant) RecordRefusal(storage.Refusal)                         {}

func (instant) Remove(_ context.Context, rm storage.Removal) (storage.Result, error) {
	switch rm.User.ID {
	case "broken":
		return storage.Result{}, errors.New(planted)
	case "unknown":
		return storage.Result{}, storage.ErrUserNotFound
	}
	at := time.Unix(1683885731, 0)
	return storage.Result{Details: storage.Details{Sequence: 2, CreationDate: at, ChangeDate: at, Organization: org}}, nil
}

type caller struct{}

func (caller) Authenticate(_ context.Context, header http.Header) (authz.Identity, error) {
	if header.Get("Authorization") != "Bearer "+token {
		return authz.Identity{}, authz.ErrInvalidToken
	}
	return authz.Identity{Issuer: "test", Subject: user, Organization: org, Roles: map[string][]string{"ORG_OWNER": {org}}}, nil
}

// traced sends requests through the product's server and returns their spans.
func traced(t *testing.T, cfg Config, requests ...*http.Request) tracetest.SpanStubs {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	tr, err := newTracing(cfg, exporter)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{
		Store: tr.Store(instant{}), Issuer: "test", Authenticator: caller{}, Permissions: authz.NewClaims(authz.DefaultPolicy()),
		Interceptors: []connect.Interceptor{tr.Interceptor()},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	if err := tr.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := exporter.GetSpans()
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return spans
}

// request makes a removal over REST.
func request(id string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodDelete, "/management/v1/users/"+id+"/avatar", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Zitadel-Orgid", org)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// procedureRequest makes a removal as an RPC.
func procedureRequest(media, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/zitadel.auth.v1.AuthService/RemoveMyAvatar", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", media)
	return r
}

func TestSpans(t *testing.T) {
	refused := request(user)
	refused.Header.Set("Authorization", "Bearer other")
	const management, own = "zitadel.management.v1.ManagementService/RemoveHumanAvatar", "zitadel.auth.v1.AuthService/RemoveMyAvatar"
	spans := traced(t, Config{Ratio: 1, Version: "1.2.3"},
		request(user), procedureRequest("application/json", "{}"), procedureRequest("application/grpc-web", "\x00\x00\x00\x00\x00"),
		request("unknown"), request("broken"), refused)
	var got []string
	for _, span := range spans {
		got = append(got, strings.TrimSpace(span.Name+" "+strings.TrimPrefix(span.Status.Code.String(), "Unset")))
	}
	want := []string{
		"storage.Remove", management, "storage.Remove", own, "storage.Remove", own, // a span ends before the one around it
		"storage.Remove", management, "storage.Remove Error", management + " Error",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	for i := 0; i+1 < len(spans); i += 2 {
		if spans[i].Parent.SpanID() != spans[i+1].SpanContext.SpanID() {
			t.Errorf("span %d is not inside span %d", i, i+1)
		}
	}
	if text := everything(t, spans); !strings.Contains(text, "avatard") || !strings.Contains(text, "1.2.3") {
		t.Error("the spans do not name the program and its version")
	}
}

// Traces hold nothing about callers and users.
func TestNothingPersonal(t *testing.T) {
	spans := traced(t, Config{Ratio: 1},
		request(user, "X-Request-Id", "request-of-somebody", "Baggage", "who=baggage-of-somebody", "Traceparent", parent, "User-Agent", "browser-of-somebody"),
		procedureRequest("application/grpc", "\x00\x00\x00\x00\x00"), request("broken"), request("unknown"))
	if len(spans) != 8 {
		t.Fatalf("%d spans, want 8", len(spans))
	}
	text := everything(t, spans)
	if !strings.Contains(text, "rpc.method") || !strings.Contains(text, "RemoveHumanAvatar") {
		t.Fatalf("the attributes cannot be seen:\n%s", text)
	}
	for _, secret := range []string{user, org, token, planted, "broken", "unknown", "of-somebody", "192.0.2.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the spans:\n%s", secret, text)
		}
	}
}

// A trace that a request names is continued only where that is trusted.
func TestParents(t *testing.T) {
	for _, tt := range []struct {
		title  string
		cfg    Config
		header string
		spans  int
		joined bool
		linked bool
	}{
		{"a parent that is not trusted is linked to", Config{Ratio: 1}, parent, 2, false, true},
		{"a parent that is trusted is continued", Config{Ratio: 1, TrustParent: true}, parent, 2, true, false},
		{"a trusted parent decides for a trace", Config{Ratio: 0, TrustParent: true}, parent, 2, true, false},
		{"a trusted parent decides against one", Config{Ratio: 1, TrustParent: true}, strings.TrimSuffix(parent, "1") + "0", 0, false, false},
		{"a parent that is not trusted decides nothing", Config{Ratio: 0}, parent, 0, false, false},
		{"no parent", Config{Ratio: 1, TrustParent: true}, "", 2, false, false},
		{"a parent that is none", Config{Ratio: 1, TrustParent: true}, "odd", 2, false, false},
	} {
		spans := traced(t, tt.cfg, request(user, "Traceparent", tt.header))
		if len(spans) != tt.spans {
			t.Errorf("%s: %d spans, want %d", tt.title, len(spans), tt.spans)
			continue
		}
		for _, span := range spans {
			if joined := span.SpanContext.TraceID().String() == strings.Split(parent, "-")[1]; joined != tt.joined {
				t.Errorf("%s: %s belongs to the trace: %v, want %v", tt.title, span.Name, joined, tt.joined)
			}
			if linked := len(span.Links) > 0; span.Name != "storage.Remove" && linked != tt.linked {
				t.Errorf("%s: %s is linked: %v, want %v", tt.title, span.Name, linked, tt.linked)
			}
		}
	}
}

// everything returns all that exporters get to see of spans, as text.
func everything(t *testing.T, spans tracetest.SpanStubs) string {
	t.Helper()
	text, err := json.Marshal(spans)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// broken is a collector that cannot be reached.
type broken struct{ sdktrace.SpanExporter }

func (broken) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return errors.New("no route")
}

func TestFailuresAreLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := &reporting{SpanExporter: broken{}, log: slog.New(slog.NewTextHandler(&log, nil)), now: time.Now}
		for range 121 { // seconds 0 to 120
			if err := r.ExportSpans(t.Context(), nil); err != nil {
				t.Errorf("ExportSpans = %v, want nil: the library has nothing to say about it", err)
			}
			time.Sleep(time.Second)
		}
		if lines := strings.Count(log.String(), "traces could not be sent"); lines != 3 {
			t.Errorf("%d lines in two minutes, want 3:\n%s", lines, &log)
		}
	})
}
