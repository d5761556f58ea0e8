package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.org/avatard/authz"
	"example.org/avatard/server"
	"example.org/avatard/storage"
)

// RegisterTokens registers the statistics of an authenticator. Call it at most once.
func (m *Metrics) RegisterTokens(stats func() authz.Stats) {
	inFlight := newDesc("avatard_provider_questions_in_flight",
		"Introspections and permissions that the identity provider is being asked about.")
	cache := newCacheDescs("avatard_token_cache", "tokens")
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) {
		st := stats()
		ch <- gauge(inFlight, float64(st.InFlight))
		cache.collect(ch, st.Tokens)
	}))
}

// RegisterPermissions registers the statistics of the cache of permissions. Call it at most once.
func (m *Metrics) RegisterPermissions(stats func() authz.CacheStats) {
	cache := newCacheDescs("avatard_permission_cache", "permissions")
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) { cache.collect(ch, stats()) }))
}

// RegisterStorage registers the statistics of an engine. Call it at most once.
func (m *Metrics) RegisterStorage(stats func() storage.Stats) {
	var (
		pending = newDesc("avatard_erasures_pending", "Erasures that are due and not done, those under way included.")
		stuck   = newDesc("avatard_erasures_stuck", "Pending erasures that were tried and could not be finished; they are tried again after 1 s, 2 s … 60 s.")
		retried = newDesc("avatard_erasure_retries_total", "Tries to finish an erasure that was stuck, successful or not.")
		age     = newDesc("avatard_erasures_pending_age_seconds", "How long the oldest pending erasure has been due, 0 when there is none.")
		short   = newDesc("avatard_storage_uploads_stopped", "1 while uploads and registrations are refused because the disk is nearly full, else 0.")
		erased  = newDesc("avatard_erasures_total", "Pictures whose bytes were overwritten, synced.")
		groups  = newDesc("avatard_storage_round_changes", "Group commits, by the number of changes that were committed together in each.")
		missing = newDesc("avatard_pictures_missing_total", "Reads of a picture that is on record and whose bytes were not in the bucket; they were answered as if there were none.")
		aged    = newDesc("avatard_storage_pruned_total", "Records that were removed because they reached their age, or their number: of changes (change) and of refused calls (refusal) in the audit trail, and receipts (receipt).", "record")
		syncs   = newSyncDescs()
		slab    = newSlabDescs()
	)
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) {
		st := stats()
		ch <- gauge(pending, float64(st.Pending))
		ch <- gauge(stuck, float64(st.Stuck))
		ch <- counter(retried, st.Retried)
		ch <- gauge(age, st.OldestPending.Seconds())
		ch <- gauge(short, boolean(st.Short))
		ch <- counter(erased, st.Erased)
		ch <- counter(missing, st.Missing)
		ch <- histogram(groups, st.GroupCommitChanges)
		ch <- counter(aged, st.PrunedChanges, "change")
		ch <- counter(aged, st.PrunedRefusals, "refusal")
		ch <- counter(aged, st.PrunedReceipts, "receipt")
		syncs.collect(ch, "log", st.CommitSeconds, st.CommitFailures)
		if st.SlabStats != nil {
			syncs.collect(ch, "slab", st.SlabSyncSeconds, st.SlabSyncFailures)
			syncs.collect(ch, "checkpoint", st.CheckpointSeconds, st.CheckpointFailures)
			slab.collect(ch, *st.SlabStats)
		}
	}))
}

// RegisterLoad registers the load of a server. Call it at most once.
func (m *Metrics) RegisterLoad(load func() server.Load) {
	connections := newDesc("avatard_connections", "Connections that are open, those that only health is answered on included.")
	inFlight := newDesc("avatard_requests_in_flight", "Requests that are being served: those that need no token (open), such as health, and all others (call).", "kind")
	refused := newDesc("avatard_turned_away_total", "Connections and requests that were refused before anything was done for them, by the bound that they were over.", "reason")
	size := newDesc("avatard_picture_room_size", "Room for pictures on their way: bytes of uploads and of pictures for readers, of those with a token and of strangers; turns at work on an upload, at the store, and at making pictures smaller.", "room")
	used := newDesc("avatard_picture_room_used", "Room for pictures that is taken.", "room")
	waiting := newDesc("avatard_picture_room_waiting", "Calls that wait for room, of their own caller or address as a rule.", "room")
	cut := newDesc("avatard_picture_room_cut_off_total", "Uploads and reads that were ended because they were slow and others needed their room.", "room")
	crowded := newDesc("avatard_picture_room_refused_total", "Calls that found no room in time and got 503.", "room")
	resized := newDesc("avatard_resized_cache_bytes", "Memory that pictures take in the sizes that readers asked for; pictures.resized_cache_bytes is the most.")
	lookups := newDesc("avatard_resized_cache_lookups_total", "Reads with a size whose picture was in memory (hit), and those for which it was made (miss).", "result")
	summed := newDesc("avatard_log_summed_calls_total", "Calls of strangers, and refused calls, that have no line of their own in the log.")
	lost := newDesc("avatard_audit_refusals_lost_total", "Refused calls of a kind that has no record in the audit trail, because there were too many kinds at once.")
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) {
		l := load()
		for room, st := range l.Budgets {
			ch <- gauge(size, float64(st.Size), room)
			ch <- gauge(used, float64(st.Used), room)
			ch <- gauge(waiting, float64(st.Waiting), room)
			ch <- counter(cut, st.Evicted, room)
			ch <- counter(crowded, st.Refused, room)
		}
		ch <- gauge(resized, float64(l.Renditions.Used))
		ch <- counter(lookups, l.Renditions.Hits, "hit")
		ch <- counter(lookups, l.Renditions.Misses, "miss")
		ch <- counter(summed, l.SummedCalls)
		ch <- counter(lost, l.LostRefusals)
		ch <- gauge(connections, float64(l.Connections))
		ch <- gauge(inFlight, float64(l.OpenRequests), "open")
		ch <- gauge(inFlight, float64(l.Requests-l.OpenRequests), "call")
		for reason, n := range l.Refused {
			ch <- counter(refused, n, reason)
		}
	}))
}

// RegisterCertificate registers the expiry of the certificate that TLS clients see. Call it at most once.
func (m *Metrics) RegisterCertificate(expiry func() time.Time) {
	end := newDesc("avatard_tls_certificate_expiry_timestamp_seconds", "When the certificate, or the first one above it in its chain, is no longer valid, in seconds since 1970.")
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) { ch <- gauge(end, float64(expiry().Unix())) }))
}

// RegisterLog registers the number of lines that the log has lost. Call it at most once.
func (m *Metrics) RegisterLog(dropped func() uint64) {
	lines := newDesc("avatard_log_dropped_lines_total", "Lines of the log that were dropped because standard error did not take them.")
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) { ch <- counter(lines, dropped()) }))
}

// RegisterAuditStream registers the number of lines that the audit stream has lost. Call it at most once.
func (m *Metrics) RegisterAuditStream(lost func() uint64) {
	lines := newDesc("avatard_audit_stream_lost_lines_total", "Lines of the audit stream that its file did not take. The audit trail in the store has them.")
	m.registry.MustRegister(collector(func(ch chan<- prometheus.Metric) { ch <- counter(lines, lost()) }))
}

// collector is a set of metrics that are looked up at each scrape. It describes itself by what it collects.
type collector func(chan<- prometheus.Metric)

func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }
func (c collector) Collect(ch chan<- prometheus.Metric) { c(ch) }

// cacheDescs describe one memory of the provider's answers.
type cacheDescs struct{ lookups, entries *prometheus.Desc }

func newCacheDescs(name, what string) cacheDescs {
	return cacheDescs{
		lookups: newDesc(name+"_lookups_total", "Callers who were told from the memory of "+what+" (hit), and those who were not (miss).", "result"),
		entries: newDesc(name+"_entries", "Answers in the memory of "+what+", by kind.", "kind"),
	}
}

func (d cacheDescs) collect(ch chan<- prometheus.Metric, st authz.CacheStats) {
	ch <- counter(d.lookups, st.Hits, "hit")
	ch <- counter(d.lookups, st.Misses, "miss")
	ch <- gauge(d.entries, float64(st.Accepted), "accepted")
	ch <- gauge(d.entries, float64(st.Refused), "refused")
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func boolean(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func counter(d *prometheus.Desc, value uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

// histogram turns a distribution into the cumulative form of Prometheus.
func histogram(d *prometheus.Desc, dist storage.Distribution, labels ...string) prometheus.Metric {
	buckets, total := make(map[float64]uint64, len(dist.Bounds)), uint64(0)
	for i, count := range dist.Counts {
		total += count
		if i < len(dist.Bounds) {
			buckets[dist.Bounds[i]] = total
		}
	}
	return prometheus.MustNewConstHistogram(d, total, dist.Sum, buckets, labels...)
}
