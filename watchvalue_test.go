package main

import (
	"flag"
	"strings"
	"testing"
)

func TestWatchSettings(t *testing.T) {
	for _, tt := range []struct {
		title string
		flag  string
		want  watchConfig
		fault string // contained in the error
	}{
		{"nothing is on unless it is set", "", watchConfig{}, ""},
		{"an empty host means this machine", "--metrics-listen=:9464", watchConfig{MetricsListen: "127.0.0.1:9464"}, ""},
		{"another host has to be named", "--metrics-listen=0.0.0.0:9464", watchConfig{MetricsListen: "0.0.0.0:9464"}, ""},
		{"a port alone is no address", "--metrics-listen=9464", watchConfig{}, "expected host:port"},
		{"a collector without a path", "--tracing-endpoint=http://127.0.0.1:4318", watchConfig{TracingEndpoint: "http://127.0.0.1:4318/v1/traces"}, ""},
		{"a collector with one", "--tracing-endpoint=https://c.example/in/x", watchConfig{TracingEndpoint: "https://c.example/in/x"}, ""},
		{"another protocol", "--tracing-endpoint=grpc://c.example", watchConfig{}, "is no URL of a collector"},
		{"a host alone", "--tracing-endpoint=c.example:4318", watchConfig{}, "is no URL of a collector"},
		{"credentials would be logged", "--tracing-endpoint=https://me:planted@c.example", watchConfig{}, "without user"},
		{"a share", "--tracing-ratio=0.01", watchConfig{TracingRatio: 0.01}, ""},
		{"no share", "--tracing-ratio=0", watchConfig{}, ""},
		{"more than all", "--tracing-ratio=1.1", watchConfig{}, "0 to 1"},
		{"a share that is no number", "--tracing-ratio=NaN", watchConfig{}, "0 to 1"},
		{"trust", "--tracing-trust-parent", watchConfig{TracingTrustParent: true}, ""},
	} {
		fs := flag.NewFlagSet("serve", flag.ContinueOnError)
		flags := addConfigFlags(fs)
		if err := fs.Parse(strings.Fields(tt.flag)); err != nil {
			t.Fatal(err)
		}
		cfg, err := readConfig(nil, flags)
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
