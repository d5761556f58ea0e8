package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	metricName    = regexp.MustCompile(`\b(avatard|go|process)_[a-z0-9_]+\b|\bup\b`)
	matchers      = regexp.MustCompile(`\{[^{}]*\}`)
	matcher       = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping      = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	placeholder   = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
	fromScraping  = []string{"instance", "job"}
	notAvatards   = []string{"up"}
	textOfARule   = regexp.MustCompile(`(?s)- alert: (\w+)\n(.*?)(?:\n      - alert|\z)`)
	expressionOf  = regexp.MustCompile(`(?s)expr: (?:>-)?(.*?)\n        [a-z]+:`)
	seriesOfATest = regexp.MustCompile(`series: '([^']*)'`)
	firingTest    = regexp.MustCompile(`alertname: (\w+)\n\s+exp_alerts: \[\{`)
)

// The alerts and the dashboard of deploy/ ask for metrics and labels that a server shows. A query for one that it does not show is
// right for Prometheus, and answers nothing for ever.
func TestDeployedQueries(t *testing.T) {
	shown := shownSeries(t)
	page := readText(t, "../../docs/operating.md")
	for name, query := range deployedQueries(t) {
		checkQuery(t, name, query, shown, page)
	}
	for _, match := range seriesOfATest.FindAllStringSubmatch(readText(t, "../../deploy/prometheus/avatard.test.yml"), -1) {
		checkQuery(t, "avatard.test.yml", match[1], shown, page)
	}
}

// Every alert is shown to fire by a test of promtool.
func TestEveryAlertHasATest(t *testing.T) {
	var tested []string
	for _, match := range firingTest.FindAllStringSubmatch(readText(t, "../../deploy/prometheus/avatard.test.yml"), -1) {
		tested = append(tested, match[1])
	}
	for name := range alerts(t) {
		if !slices.Contains(tested, name) {
			t.Errorf("%s: no test of promtool lets it fire", name)
		}
	}
}

// The check above finds what it is for.
func TestDeployedQueriesControl(t *testing.T) {
	shown := shownSeries(t)
	for _, query := range []string{
		`rate(avatard_cals_total[5m])`, `sum by (cod) (avatard_calls_total)`, `avatard_calls_total{kod="ok"}`,
		`avatard_provider_questions_withheld_total{reason="sleeping"}`, `avatard_call_duration_seconds > 1`,
	} {
		if faults := faultsOf(query, shown, "`resting`"); len(faults) == 0 {
			t.Errorf("%s passes", query)
		}
	}
}

func checkQuery(t *testing.T, name, query string, shown map[string][]string, page string) {
	t.Helper()
	for _, fault := range faultsOf(query, shown, page) {
		t.Errorf("%s: %s in %s", name, fault, query)
	}
}

// faultsOf says which names, labels and values of a query a server never shows. Values have to stand on the page for operators.
func faultsOf(query string, shown map[string][]string, page string) (faults []string) {
	bare := matchers.ReplaceAllString(query, "")
	labels := slices.Clone(fromScraping)
	for _, name := range metricName.FindAllString(bare, -1) {
		of, ok := shown[name]
		if !ok && !slices.Contains(notAvatards, name) {
			faults = append(faults, "no metric "+name)
		}
		labels = append(labels, of...)
	}
	for _, match := range matcher.FindAllStringSubmatch(query, -1) {
		if !slices.Contains(labels, match[1]) {
			faults = append(faults, "no label "+match[1])
		}
		if match[1] != "reason" && match[1] != "outcome" {
			continue
		}
		if !strings.Contains(page, "`"+match[2]+"`") && !strings.Contains(page, "("+match[2]+")") {
			faults = append(faults, "no value "+match[2])
		}
	}
	for _, match := range grouping.FindAllStringSubmatch(bare, -1) {
		for label := range strings.SplitSeq(match[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(label)) {
				faults = append(faults, "no label "+label)
			}
		}
	}
	return faults
}

// shownSeries are the names of all series that a server shows, with their labels.
func shownSeries(t *testing.T) map[string][]string {
	t.Helper()
	families, err := watched().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]string{}
	for _, family := range families {
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		name := family.GetName()
		if family.GetType().String() != "HISTOGRAM" {
			shown[name] = labels
			continue
		}
		shown[name+"_bucket"] = append(slices.Clone(labels), "le")
		shown[name+"_sum"], shown[name+"_count"] = labels, labels
	}
	return shown
}

// deployedQueries are the expressions of all alerts and of the dashboard, by name, with the labels that their texts show grouped by.
func deployedQueries(t *testing.T) map[string]string {
	queries := alerts(t)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(readText(t, "../../deploy/grafana/avatard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 || len(queries) == 0 {
		t.Fatalf("%d panels and %d alerts", len(dashboard.Panels), len(queries))
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title+" "+target.LegendFormat] = withShown(target.Expr, target.LegendFormat)
		}
	}
	return queries
}

func alerts(t *testing.T) map[string]string {
	t.Helper()
	queries := map[string]string{}
	rest := readText(t, "../../deploy/prometheus/avatard.rules.yml")
	for {
		match := textOfARule.FindStringSubmatchIndex(rest)
		if match == nil {
			return queries
		}
		name, body := rest[match[2]:match[3]], rest[match[4]:match[5]]
		expression := expressionOf.FindStringSubmatch(body)
		if expression == nil {
			t.Fatalf("%s: no expression", name)
		}
		queries[name] = withShown(strings.TrimSpace(expression[1]), body)
		rest = rest[match[5]:]
	}
}

// withShown adds the labels that a text shows of a query's answer as a grouping, so that they are looked at, too.
func withShown(query, text string) string {
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		query += " by (" + match[1] + ")"
	}
	return query
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
