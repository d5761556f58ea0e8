package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clusterVariables are the settings of a cluster by key, each as a variable. All its files are one.
func clusterVariables(file string) map[string]string {
	return map[string]string{
		"database":               "AVATARD_DATABASE=host=db dbname=avatars",
		"database_file":          "",
		"bucket.endpoint":        "AVATARD_BUCKET_ENDPOINT=https://s3.example",
		"bucket.region":          "AVATARD_BUCKET_REGION=eu",
		"bucket.name":            "AVATARD_BUCKET_NAME=avatars",
		"bucket.access_key":      "AVATARD_BUCKET_ACCESS_KEY=access",
		"bucket.secret_key_file": "AVATARD_BUCKET_SECRET_KEY_FILE=" + file,
		"bucket.key_file":        "AVATARD_BUCKET_KEY_FILE=" + file,
		"bucket.accept_unknown":  "AVATARD_BUCKET_ACCEPT_UNKNOWN=false",
	}
}

const minimalCluster = `issuer: https://id.example
audience: "1"
client_id: c
client_secret: s
bucket:
  endpoint: https://s3.example/
  name: avatars
  access_key: access
`

// A database makes the store a cluster, for commands that need the data as for serve; its secrets come from files, and it needs no
// directory.
func TestConfigOfACluster(t *testing.T) {
	secret := writeFile(t, "secret", " hunter5\n")
	address := writeFile(t, "address", "postgres://avatard:hunter6@db/avatars\n")
	file := writeFile(t, "c.yaml", minimalCluster+"  secret_key_file: "+secret+"\n  key_file: "+address+"\ndatabase_file: "+address+"\n")
	got, err := read(t, nil, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	want := Bucket{Endpoint: "https://s3.example", Name: "avatars", AccessKey: "access", SecretKey: "hunter5", SecretKeyFile: secret, KeyFile: address}
	if diff := cmp.Diff(want, got.Bucket); diff != "" || got.Database != "postgres://avatard:hunter6@db/avatars" || !got.IsCluster() {
		t.Errorf("database %q, bucket (-want +got):\n%s", got.Database, diff)
	}
	again, err := Read(nil, &Flags{File: file}, "data")
	if err != nil || again.Database != got.Database || again.Bucket != got.Bucket {
		t.Errorf("Read for the data = %+v, %v, want the same store", again, err)
	}
	unopened, err := Read(nil, &Flags{File: file}, "issuer")
	if err != nil || unopened.Database != "" || unopened.Bucket.SecretKey != "" || !unopened.IsCluster() {
		t.Errorf("Read without the data = %+v, %v, want no file opened", unopened, err)
	}
}

// What a cluster cannot do without is named, all of it at once, and so is what counts for nothing.
func TestConfigFaultsOfACluster(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none")
	there := writeFile(t, "there", "x")
	files := "  secret_key_file: " + there + "\n  key_file: " + there + "\n"
	for _, tt := range []struct {
		name, file string
		want       []string // where, and a part of what
	}{
		{"a database alone", minimal + "database: host=db", []string{"bucket.endpoint: is not set", "bucket.name: is not set", "bucket.access_key: is not set",
			"bucket.secret_key_file: is not set", "bucket.key_file: is not set"}},
		{"a bucket alone", minimalCluster + files, []string{"data: is not set", "bucket.endpoint: counts for nothing", "bucket.name: counts for nothing", "bucket.access_key: counts for nothing",
			"bucket.secret_key_file: counts for nothing", "bucket.key_file: counts for nothing"}},
		{"two addresses", minimalCluster + files + "database: host=db\ndatabase_file: " + there, []string{"database: is set beside database_file"}},
		{"files that are not there", minimalCluster + "  secret_key_file: " + nowhere + "\n  key_file: " + nowhere + "\ndatabase_file: " + nowhere,
			[]string{"database_file: open", "bucket.secret_key_file: open", "bucket.key_file: open"}},
		{"a file with no address", minimalCluster + files + "database_file: " + writeFile(t, "address", "hunter2"), []string{"database_file: is no address of PostgreSQL"}},
		{"another database", minimalCluster + files + "database: mysql://hunter2@db", []string{"database: is no address of PostgreSQL"}},
		{"an address of two lines", minimalCluster + files + "database_file: " + writeFile(t, "address", "host=db\npassword=hunter2"), []string{"database_file: has more than one line"}},
		{"a bucket in the address of its server", strings.Replace(minimalCluster, "s3.example/", "s3.example/avatars", 1) + files + "database: host=db",
			[]string{"bucket.endpoint: is no address of an S3 server"}},
		{"a bucket of no name", strings.Replace(minimalCluster, "name: avatars", "name: a/b", 1) + files + "database: host=db", []string{"bucket.name: \"a/b\" is no name"}},
	} {
		_, err := read(t, nil, "--config", writeFile(t, "c.yaml", tt.file))
		faults := faultsOf(t, err)
		for i, want := range tt.want {
			if len(faults) != len(tt.want) || !strings.Contains(withoutLine(faults[i].Where)+": "+faults[i].Problem, want) {
				t.Errorf("%s: faults are %v, want %q at %d of %d", tt.name, err, want, i, len(tt.want))
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a secret is shown: %v", tt.name, err)
		}
	}
}

// withoutLine returns the key of a fault's place.
func withoutLine(where string) string { return where[strings.LastIndexByte(where, ' ')+1:] }

// A password in the configuration file is a secret in it, an address without one is not.
func TestPasswordOfTheDatabaseInTheFile(t *testing.T) {
	there := writeFile(t, "there", "x")
	for address, want := range map[string]int{
		"postgres://avatard:hunter6@db/avatars": 2, "host=db password=hunter6": 2, "postgres://db/avatars?password=hunter6": 2,
		"postgres://avatard@db/avatars": 1, "host=/run/postgresql dbname=avatars": 1,
	} {
		cfg, err := read(t, nil, "--config", writeFile(t, "c.yaml", minimalCluster+"  secret_key_file: "+there+"\n  key_file: "+there+"\ndatabase: "+address+"\n"))
		if err != nil || len(cfg.SecretsInFile) != want {
			t.Errorf("%s: secrets in the file are %v, %v, want %d", address, cfg.SecretsInFile, err, want)
		}
	}
}
