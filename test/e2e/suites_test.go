package e2e

import (
	"flag"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"example.org/avatard/internal/config"
	"example.org/avatard/storage"
	"example.org/avatard/storage/cluster"
	"example.org/avatard/storage/cluster/clustertest"
)

// clusterPlace returns where commands keep data in databases and buckets, which the setting data names.
func clusterPlace(t *testing.T, servers *clustertest.Servers) func(config.Config) storage.Place {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := cluster.NewKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	places := map[string]storage.Place{}
	return func(cfg config.Config) storage.Place {
		mu.Lock()
		defer mu.Unlock()
		if places[cfg.Data] == nil {
			made := servers.New(t, true)
			places[cfg.Data] = asked{cluster.At(cluster.Options{Database: made.Database, KeyFile: keys, Bucket: servers.BucketOptions(made)}), cfg.Data}
		}
		return places[cfg.Data]
	}
}

// asked is a place whose server is asked by commands, as that of a directory is: the users of dev have an issuer that only dev knows.
type asked struct {
	storage.Place
	dir string
}

func (a asked) ControlDir() string { return a.dir }

// What was written for a server and its directory passes unchanged when the data is in a database and a bucket. The clients of others are
// tested there only when every suite is asked for, as are uploads that are unpacked or refused before a store hears of them: both
// take most of the time and speak to the same server.
func TestSuitesOnACluster(t *testing.T) {
	place = clusterPlace(t, clustertest.StartFor(t))
	t.Cleanup(func() { place = nil })
	parts := contractParts()
	if !*everySuite {
		parts = slices.DeleteFunc(parts, func(p contractPart) bool { return p.name == "coded uploads" || p.name == "uploads refused" })
	}
	t.Run("contract", func(t *testing.T) { testContract(t, parts) })
	t.Run("grpcurl", TestGrpcurl)
	t.Run("curl", TestCurl)
	t.Run("generated clients", TestGeneratedClients)
	if *everySuite {
		t.Run("Python", TestPythonStandardLibrary)
		t.Run("buf curl", TestBufCurl)
		t.Run("Node", TestNodeClients)
		t.Run("browser", TestBrowser)
	}
}

var everySuite = flag.Bool("every-suite", false, "run the suites of all clients on a cluster, too")
