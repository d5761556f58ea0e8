// Package metrics shows operators what avatard does, in the Prometheus exposition format.
//
// It observes calls (server.Observer) and questions to the identity provider (authz.Observer) as they end, and reads the statistics of
// the store and the authenticator when it is scraped. No package below imports it or Prometheus.
//
// Every label has a small set of values that strangers cannot enlarge: routes and procedures come from our own tables,
// codes from RPC codes and HTTP statuses. No metric identifies a caller or the user of a picture.
package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.org/avatard/authz"
	"example.org/avatard/server"
)

// Config configures Metrics.
type Config struct {
	// Version is the version of the program, for avatard_build_info.
	Version string
	// Logger gets a line about metrics that could not be collected. nil = discard.
	Logger *slog.Logger
}

// Metrics counts. Make it with New; its methods may be called concurrently.
type Metrics struct {
	registry *prometheus.Registry
	logger   *slog.Logger

	calls         *prometheus.CounterVec
	callSeconds   *prometheus.HistogramVec
	refused       *prometheus.CounterVec
	asked         *prometheus.CounterVec
	askedSeconds  *prometheus.HistogramVec
	notAskedCount *prometheus.CounterVec
}

var (
	_ server.Observer = (*Metrics)(nil)
	_ authz.Observer  = (*Metrics)(nil)
)

// New returns Metrics in which nothing is counted yet, beside those of the process and the Go runtime.
func New(cfg Config) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		logger:   cfg.Logger,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "avatard_calls_total",
			Help: "Requests that were answered, by RPC (or method and route), wire form, and code of the answer.",
		}, []string{"procedure", "form", "code"}),
		// Few buckets: there is one set for each procedure and form. A delete takes two syncs of the disk.
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "avatard_call_duration_seconds",
			Help:    "Time from the headers of a request to the end of its answer.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5, 30},
		}, []string{"procedure", "form"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "avatard_tokens_refused_total",
			Help: "Calls whose token was refused, by the reason that the log line of the call gives.",
		}, []string{"reason"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "avatard_provider_questions_total",
			Help: "Questions that the identity provider was asked: discovery, introspection, permissions, organisation, user; and how they ended.",
		}, []string{"question", "outcome"}),
		askedSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "avatard_provider_question_duration_seconds",
			Help:    "Time to the end of a question that the identity provider was asked, waiting for a turn included.",
			Buckets: []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2.5},
		}, []string{"question"}),
		notAskedCount: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "avatard_provider_questions_withheld_total",
			Help: "Questions that the identity provider was not asked, because it was left alone (resting), it had failed for that token a moment ago (failed_before), too many unknown tokens came from one address or in all (flood), or too many other questions were under way (crowded).",
		}, []string{"question", "reason"}),
	}
	if m.logger == nil {
		m.logger = slog.New(slog.DiscardHandler)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "avatard_build_info",
		Help:        "Always 1; the label tells the version of the program.",
		ConstLabels: prometheus.Labels{"version": cfg.Version},
	})
	build.Set(1)
	for _, reason := range authz.Reasons() {
		m.refused.WithLabelValues(string(reason))
	}
	m.registry.MustRegister(m.calls, m.callSeconds, m.refused, m.asked, m.askedSeconds, m.notAskedCount, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ObserveCall counts a call.
func (m *Metrics) ObserveCall(r server.CallReport) {
	m.calls.WithLabelValues(r.Procedure, r.Form, r.Code).Inc()
	m.callSeconds.WithLabelValues(r.Procedure, r.Form).Observe(r.Took.Seconds())
	if r.Refused != "" {
		m.refused.WithLabelValues(string(r.Refused)).Inc()
	}
}

// ObserveQuestion counts a question to the identity provider.
func (m *Metrics) ObserveQuestion(r authz.QuestionReport) {
	switch r.Outcome {
	case authz.QuestionRateLimited, authz.QuestionCircuitOpen, authz.QuestionOverloaded, authz.QuestionFailedBefore:
		m.notAskedCount.WithLabelValues(r.Question, string(r.Outcome)).Inc()
		return
	}
	m.asked.WithLabelValues(r.Question, string(r.Outcome)).Inc()
	m.askedSeconds.WithLabelValues(r.Question).Observe(r.Took.Seconds())
}

// Handler returns the handler that shows the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError, // without a metric that is missing the others are still shown
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}
