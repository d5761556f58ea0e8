package cluster

import (
	"strings"
	"testing"
)

// setForAll sets something for all connections to a test's database, as its administrator would.
func setForAll(t *testing.T, o Options, setting string) {
	t.Helper()
	name := o.Database[strings.LastIndex(o.Database, "dbname=")+len("dbname="):]
	if _, err := sql(t, o).Exec(t.Context(), "ALTER DATABASE "+name+" SET "+setting); err != nil {
		t.Fatal(err)
	}
}

// What an administrator sets for all connections does not weaken those of the engine: it may only make commits wait for more.
func TestSettingsOfConnections(t *testing.T) {
	for set, want := range map[string]string{
		"synchronous_commit = off":                          "on",
		"synchronous_commit = local":                        "on",
		"synchronous_commit = remote_write":                 "on",
		"synchronous_commit = remote_apply":                 "remote_apply",
		"statement_timeout = 0":                             "5s",
		"default_transaction_isolation = 'repeatable read'": "read committed",
		"enable_seqscan = on":                               "off",
	} {
		o := options(t, true)
		setForAll(t, o, set)
		pool, err := connect(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(set, " ")
		var value, source string
		if err := pool.QueryRow(t.Context(), `SELECT current_setting(name), source FROM pg_settings WHERE name = $1`, name).Scan(&value, &source); err != nil || value != want {
			t.Errorf("with %s: %q, %v, want %q", set, value, err, want)
		}
		if source != "client" && source != "session" { // else a reload of the server's configuration changes it
			t.Errorf("with %s: the source is %q", set, source)
		}
		pool.Close()
	}
}

// A connection on which a setting has another value than was asked for is refused.
func TestSettingThatDidNotTakeEffect(t *testing.T) {
	o := options(t, true)
	before := settings["statement_timeout"]
	t.Cleanup(func() { settings["statement_timeout"] = before })
	settings["statement_timeout"] = "5000" // the server calls it 5s
	if pool, err := connect(t.Context(), o); err == nil {
		pool.Close()
		t.Error("connected although the server says of a setting something else than was asked for")
	} else if !strings.Contains(err.Error(), "statement_timeout") {
		t.Errorf("connect = %v, want the name of the setting", err)
	}
}
