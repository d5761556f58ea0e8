package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage"
)

// watched returns Metrics with something in every metric.
func watched() *Metrics {
	m := New(Config{Version: "1.2.3"})
	m.ObserveCall(server.CallReport{Procedure: "/a/B", Form: "grpc", Code: "ok", Took: 3 * time.Millisecond})
	m.ObserveCall(server.CallReport{Procedure: "/a/B", Form: "grpc", Code: "not_found", Refused: authz.ReasonAudience, Took: time.Minute})
	m.ObserveQuestion(authz.QuestionReport{Question: "introspection", Outcome: authz.QuestionAnswered, Took: 20 * time.Millisecond})
	m.ObserveQuestion(authz.QuestionReport{Question: "introspection", Outcome: authz.QuestionRateLimited})
	m.RegisterTokens(func() authz.Stats {
		return authz.Stats{InFlight: 3, Tokens: authz.CacheStats{Hits: 40, Misses: 2, Accepted: 7, Refused: 1}}
	})
	m.RegisterLoad(func() server.Load {
		return server.Load{Connections: 12, Requests: 7, OpenRequests: 2, Refused: map[string]uint64{"requests": 3, "connections": 0},
			Budgets: map[string]server.SemaphoreStats{"read_bytes": {Size: 100, Used: 50, Waiting: 3, Evicted: 2, Refused: 1}}, Renditions: server.RenditionStats{Size: 1000, Used: 700, Entries: 1, Hits: 23, Misses: 24}, SummedCalls: 21, LostRefusals: 22}
	})
	m.RegisterLog(func() uint64 { return 17 })
	m.RegisterAuditStream(func() uint64 { return 19 })
	m.RegisterCertificate(func() time.Time { return time.Unix(1_800_000_000, 0) })
	m.RegisterPermissions(func() authz.CacheStats { return authz.CacheStats{Misses: 5} })
	m.RegisterStorage(func() storage.Stats {
		return storage.Stats{
			GroupCommitChanges: storage.Distribution{Bounds: []float64{1, 2, 4}, Counts: []uint64{5, 0, 2, 1}, Sum: 20},
			CommitSeconds:      storage.Distribution{Bounds: []float64{0.001}, Counts: []uint64{8, 0}, Sum: 0.004},
			Erased:             9, Pending: 2, Stuck: 1, OldestPending: 90 * time.Second, Retried: 4, Missing: 6,
			PrunedChanges: 5, PrunedRefusals: 6, PrunedReceipts: 7, Short: true,
			SlabStats: &storage.SlabStats{
				SlabSyncSeconds:   storage.Distribution{Bounds: []float64{0.001}, Counts: []uint64{6, 1}, Sum: 2},
				CheckpointSeconds: storage.NewDistribution(0.001), SlabSyncFailures: 1, CheckpointFailures: 2,
				LogBytes: 4152, ReserveBytes: 4194304, Quarantined: 3,
				SlabBytes: 69632, SlabDiskBytes: 45056, SlabUsedBytes: 24576, SlabFreeBytes: 40960, TrimFailures: 3,
				Slots: []storage.SlotStats{{Bytes: 4096, Total: 16, Free: 10}, {Bytes: 8192, Total: 8, Free: 8}},
			},
		}
	})
	return m
}

// scrape returns the lines about avatard itself.
func scrape(t testing.TB, m *Metrics) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(rec.Result().Body)
	if err != nil || rec.Code != http.StatusOK {
		t.Fatalf("scrape: %d, %v\n%s", rec.Code, err, text)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "avatard_") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// shown is what a scrape of watched returns about avatard itself.
const shown = `
avatard_audit_refusals_lost_total 22
avatard_audit_stream_lost_lines_total 19
avatard_build_info{version="1.2.3"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="0.001"} 0
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="0.0025"} 0
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="0.005"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="0.01"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="0.05"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="0.25"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="1"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="5"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="30"} 1
avatard_call_duration_seconds_bucket{form="grpc",procedure="/a/B",le="+Inf"} 2
avatard_call_duration_seconds_sum{form="grpc",procedure="/a/B"} 60.003
avatard_call_duration_seconds_count{form="grpc",procedure="/a/B"} 2
avatard_calls_total{code="not_found",form="grpc",procedure="/a/B"} 1
avatard_calls_total{code="ok",form="grpc",procedure="/a/B"} 1
avatard_connections 12
avatard_erasure_retries_total 4
avatard_erasures_pending 2
avatard_erasures_pending_age_seconds 90
avatard_erasures_stuck 1
avatard_erasures_total 9
avatard_log_dropped_lines_total 17
avatard_log_summed_calls_total 21
avatard_permission_cache_entries{kind="accepted"} 0
avatard_permission_cache_entries{kind="refused"} 0
avatard_permission_cache_lookups_total{result="hit"} 0
avatard_permission_cache_lookups_total{result="miss"} 5
avatard_picture_room_cut_off_total{room="read_bytes"} 2
avatard_picture_room_refused_total{room="read_bytes"} 1
avatard_picture_room_size{room="read_bytes"} 100
avatard_picture_room_used{room="read_bytes"} 50
avatard_picture_room_waiting{room="read_bytes"} 3
avatard_pictures_missing_total 6
avatard_provider_question_duration_seconds_bucket{question="introspection",le="0.001"} 0
avatard_provider_question_duration_seconds_bucket{question="introspection",le="0.005"} 0
avatard_provider_question_duration_seconds_bucket{question="introspection",le="0.025"} 1
avatard_provider_question_duration_seconds_bucket{question="introspection",le="0.1"} 1
avatard_provider_question_duration_seconds_bucket{question="introspection",le="0.5"} 1
avatard_provider_question_duration_seconds_bucket{question="introspection",le="2.5"} 1
avatard_provider_question_duration_seconds_bucket{question="introspection",le="+Inf"} 1
avatard_provider_question_duration_seconds_sum{question="introspection"} 0.02
avatard_provider_question_duration_seconds_count{question="introspection"} 1
avatard_provider_questions_in_flight 3
avatard_provider_questions_total{outcome="answered",question="introspection"} 1
avatard_provider_questions_withheld_total{question="introspection",reason="flood"} 1
avatard_requests_in_flight{kind="call"} 5
avatard_requests_in_flight{kind="open"} 2
avatard_resized_cache_bytes 700
avatard_resized_cache_lookups_total{result="hit"} 23
avatard_resized_cache_lookups_total{result="miss"} 24
avatard_storage_free_slots{slot_bytes="4096"} 10
avatard_storage_free_slots{slot_bytes="8192"} 8
avatard_storage_log_bytes 4152
avatard_storage_pruned_total{record="change"} 5
avatard_storage_pruned_total{record="receipt"} 7
avatard_storage_pruned_total{record="refusal"} 6
avatard_storage_quarantined_slots 3
avatard_storage_reserve_bytes 4.194304e+06
avatard_storage_round_changes_bucket{le="1"} 5
avatard_storage_round_changes_bucket{le="2"} 5
avatard_storage_round_changes_bucket{le="4"} 7
avatard_storage_round_changes_bucket{le="+Inf"} 8
avatard_storage_round_changes_sum 20
avatard_storage_round_changes_count 8
avatard_storage_slab_bytes 69632
avatard_storage_slab_space_bytes{kind="disk"} 45056
avatard_storage_slab_space_bytes{kind="free"} 40960
avatard_storage_slab_space_bytes{kind="used"} 24576
avatard_storage_slots{slot_bytes="4096"} 16
avatard_storage_slots{slot_bytes="8192"} 8
avatard_storage_sync_duration_seconds_bucket{target="checkpoint",le="0.001"} 0
avatard_storage_sync_duration_seconds_bucket{target="checkpoint",le="+Inf"} 0
avatard_storage_sync_duration_seconds_sum{target="checkpoint"} 0
avatard_storage_sync_duration_seconds_count{target="checkpoint"} 0
avatard_storage_sync_duration_seconds_bucket{target="log",le="0.001"} 8
avatard_storage_sync_duration_seconds_bucket{target="log",le="+Inf"} 8
avatard_storage_sync_duration_seconds_sum{target="log"} 0.004
avatard_storage_sync_duration_seconds_count{target="log"} 8
avatard_storage_sync_duration_seconds_bucket{target="slab",le="0.001"} 6
avatard_storage_sync_duration_seconds_bucket{target="slab",le="+Inf"} 7
avatard_storage_sync_duration_seconds_sum{target="slab"} 2
avatard_storage_sync_duration_seconds_count{target="slab"} 7
avatard_storage_sync_failures_total{target="checkpoint"} 2
avatard_storage_sync_failures_total{target="log"} 0
avatard_storage_sync_failures_total{target="slab"} 1
avatard_storage_trim_failures_total 3
avatard_storage_uploads_stopped 1
avatard_tls_certificate_expiry_timestamp_seconds 1.8e+09
avatard_token_cache_entries{kind="accepted"} 7
avatard_token_cache_entries{kind="refused"} 1
avatard_token_cache_lookups_total{result="hit"} 40
avatard_token_cache_lookups_total{result="miss"} 2
avatard_tokens_refused_total{reason="audience"} 1
avatard_tokens_refused_total{reason="ended"} 0
avatard_tokens_refused_total{reason="expired"} 0
avatard_tokens_refused_total{reason="impersonation"} 0
avatard_tokens_refused_total{reason="inactive"} 0
avatard_tokens_refused_total{reason="issuer"} 0
avatard_tokens_refused_total{reason="malformed"} 0
avatard_tokens_refused_total{reason="no_client_id"} 0
avatard_tokens_refused_total{reason="no_expiry"} 0
avatard_tokens_refused_total{reason="not_yet_valid"} 0
avatard_tokens_refused_total{reason="organisation"} 0
avatard_tokens_refused_total{reason="rejected"} 0
avatard_tokens_refused_total{reason="sender_constrained"} 0
avatard_tokens_refused_total{reason="subject"} 0
avatard_tokens_refused_total{reason="token_type"} 0
avatard_turned_away_total{reason="connections"} 0
avatard_turned_away_total{reason="requests"} 3
`

func TestWhatIsShown(t *testing.T) {
	want := strings.Split(strings.TrimSpace(shown), "\n")
	if diff := cmp.Diff(want, scrape(t, watched())); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// An engine that keeps pictures elsewhere shows what every engine has, and nothing about a slab.
func TestEngineWithoutASlab(t *testing.T) {
	m := New(Config{})
	m.RegisterStorage(func() storage.Stats { return storage.Stats{Erased: 9} })
	lines := strings.Join(scrape(t, m), "\n")
	for _, want := range []string{"avatard_erasures_total 9", "avatard_storage_uploads_stopped 0", `avatard_storage_sync_failures_total{target="log"} 0`} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is missing in\n%s", want, lines)
		}
	}
	for _, unwanted := range []string{"slab", "slots", "checkpoint", "reserve", "log_bytes", "trim"} {
		if strings.Contains(lines, "avatard_storage_"+unwanted) || strings.Contains(lines, `"`+unwanted+`"`) {
			t.Errorf("%q is shown in\n%s", unwanted, lines)
		}
	}
}

// Names, types and help follow the conventions of Prometheus.
func TestLint(t *testing.T) {
	families, err := watched().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "avatard_") {
			own++
		}
	}
	if own < 19 {
		t.Errorf("only %d metrics of our own", own)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// The metrics of the process and the Go runtime are shown, too.
func TestRuntimeMetrics(t *testing.T) {
	rec := httptest.NewRecorder()
	New(Config{}).Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, name := range []string{"go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(rec.Body.String(), "\n"+name) {
			t.Errorf("%s is missing", name)
		}
	}
}
