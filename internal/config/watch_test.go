package config

import (
	"strings"
	"testing"
)

func TestWatchSettings(t *testing.T) {
	for _, tt := range []struct {
		title string
		flag  string
		want  Watch
		fault string // contained in the error
	}{
		{"nothing is on unless it is set", "", Watch{}, ""},
		{"an empty host means this machine", "--metrics-listen=:9464", Watch{MetricsListen: "127.0.0.1:9464"}, ""},
		{"another host has to be named", "--metrics-listen=0.0.0.0:9464", Watch{MetricsListen: "0.0.0.0:9464"}, ""},
		{"a port alone is no address", "--metrics-listen=9464", Watch{}, "expected host:port"},
		{"a collector without a path", "--tracing-endpoint=http://127.0.0.1:4318", Watch{TracingEndpoint: "http://127.0.0.1:4318/v1/traces"}, ""},
		{"a collector with one", "--tracing-endpoint=https://c.example/in/x", Watch{TracingEndpoint: "https://c.example/in/x"}, ""},
		{"another protocol", "--tracing-endpoint=grpc://c.example", Watch{}, "is no URL of a collector"},
		{"a host alone", "--tracing-endpoint=c.example:4318", Watch{}, "is no URL of a collector"},
		{"credentials would be logged", "--tracing-endpoint=https://me:planted@c.example", Watch{}, "without user"},
		{"a share", "--tracing-ratio=0.01", Watch{TracingRatio: 0.01}, ""},
		{"no share", "--tracing-ratio=0", Watch{}, ""},
		{"more than all", "--tracing-ratio=1.1", Watch{}, "0 to 1"},
		{"a share that is no number", "--tracing-ratio=NaN", Watch{}, "0 to 1"},
		{"trust", "--tracing-trust-parent", Watch{TracingTrustParent: true}, ""},
	} {
		cfg, err := Read(nil, flagsOf(t, strings.Fields(tt.flag)...))
		if tt.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "planted") {
				t.Errorf("%s: %v, want a fault with %q", tt.title, err, tt.fault)
			}
			continue
		}
		if !strings.Contains(tt.flag, "ratio") {
			tt.want.TracingRatio = 1
		}
		if err != nil || cfg.Watch != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.title, cfg.Watch, err, tt.want)
		}
	}
}
