// Package tracing sends traces of RPCs to an OpenTelemetry collector, over OTLP/HTTP.
//
// A trace has a span for the RPC, whatever wire form it came in, REST included, and one for what the store did. It
// begins when a call was let in: refused tokens and missing permissions are for metrics and the audit trail to count.
// The picture routes are not RPCs and have no traces.
//
// Spans name procedures, codes and times. They do not identify the caller or the user of the picture: they hold no token, no id of a
// user or organisation, and no address.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/otelconnect"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"example.org/avatard/storage"
)

// Config names the collector of the traces, and the calls that are traced.
type Config struct {
	// Endpoint is the http or https URL at which the collector takes traces, with its path, which is usually
	// /v1/traces. Required. Headers and certificates for it come from the environment variables of OpenTelemetry.
	Endpoint string
	// Ratio is the share of calls that are traced, 0 to 1.
	Ratio float64
	// TrustParent continues the traces that requests name (W3C Trace Context), and traces a call if its request says so. false = a call
	// begins a trace of its own, linked to the one that its request names; so a stranger cannot fill the collector.
	TrustParent bool
	// Version is the version of the program.
	Version string
	// Logger gets a line about traces that could not be sent, at most once a minute. nil = discard.
	Logger *slog.Logger
}

// Tracing makes traces. Make it with New and end it with Close; its other methods may be called concurrently.
type Tracing struct {
	provider    *sdktrace.TracerProvider
	tracer      trace.Tracer
	interceptor connect.Interceptor
}

// New returns a Tracing. It does not connect to the collector yet. A collector that is down delays no call.
func New(ctx context.Context, cfg Config) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.Endpoint))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return newTracing(cfg, exporter)
}

func newTracing(cfg Config, exporter sdktrace.SpanExporter) (*Tracing, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sampler := sdktrace.TraceIDRatioBased(cfg.Ratio)
	trust := []otelconnect.Option(nil)
	if cfg.TrustParent {
		sampler = sdktrace.ParentBased(sampler)
		trust = append(trust, otelconnect.WithTrustRemote())
	}
	provider := sdktrace.NewTracerProvider(
		// The batcher drops spans when its queue of 2,048 is full rather than let calls wait.
		sdktrace.WithBatcher(&reporting{SpanExporter: exporter, log: cfg.Logger, now: time.Now}),
		sdktrace.WithSampler(sampler),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "avatard"), attribute.String("service.version", cfg.Version))),
	)
	interceptor, err := otelconnect.NewInterceptor(append(trust,
		otelconnect.WithTracerProvider(provider),
		otelconnect.WithPropagator(propagation.TraceContext{}), // without baggage, into which a caller may write anything
		otelconnect.WithoutMetrics(),
	)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tracing: %w", err), provider.Shutdown(context.Background()))
	}
	return &Tracing{provider: provider, tracer: provider.Tracer("avatard"), interceptor: interceptor}, nil
}

// Interceptor returns the interceptor that makes a span of every RPC, for server.Config.
func (t *Tracing) Interceptor() connect.Interceptor { return t.interceptor }

// Store returns next with a span for each removal that belongs to a trace.
func (t *Tracing) Store(next storage.Store) storage.Store {
	return &store{Store: next, tracer: t.tracer}
}

// Close sends what has not been sent, as long as ctx lasts, and ends.
func (t *Tracing) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

type store struct {
	storage.Store
	tracer trace.Tracer
}

// Remove implements storage.Store.
func (s *store) Remove(ctx context.Context, rm storage.Removal) (storage.Result, error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return s.Store.Remove(ctx, rm)
	}
	ctx, span := s.tracer.Start(ctx, "storage.Remove")
	defer span.End()
	res, err := s.Store.Remove(ctx, rm)
	if err != nil && !isAnswer(err) {
		span.SetStatus(codes.Error, "") // the text may name the user
	}
	return res, err
}

// isAnswer reports whether an error says something about the user, and not about the store.
func isAnswer(err error) bool {
	return errors.Is(err, storage.ErrUserNotFound) || errors.Is(err, storage.ErrOtherOrganization) ||
		errors.Is(err, storage.ErrOrganizationNotFound)
}

// reporting is an exporter that logs failures from time to time and returns none: the library would write them to standard error.
type reporting struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	now  func() time.Time
	next atomic.Int64 // Unix nanoseconds, no line before
}

const reportInterval = time.Minute

// ExportSpans implements sdktrace.SpanExporter.
func (r *reporting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		now, next := r.now(), r.next.Load()
		if now.UnixNano() >= next && r.next.CompareAndSwap(next, now.Add(reportInterval).UnixNano()) {
			r.log.Warn("traces could not be sent", "spans", len(spans), "error", err)
		}
	}
	return nil
}
