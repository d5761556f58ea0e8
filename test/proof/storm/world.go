package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"example.org/avatard/storage/cluster/clustertest"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

const (
	replicas       = 3
	singles        = 24 // users with one client
	pairs          = 8  // users with two
	people         = singles + pairs
	picturesOfEach = 20 // which a user's uploads take in turn
)

// world is all that runs: PostgreSQL, the S3 server, a proxy in front of each, replicas of the program, and an identity provider.
type world struct {
	servers  *clustertest.Servers
	store    clustertest.Store
	database *proxy
	gateway  *proxy
	requests *requests
	testbed  *testbed.Testbed
	replicas [replicas]atomic.Pointer[replica] // nil while it does not run
	folders  folders
	pictures *testbed.PictureSet

	upgrade    upgrade
	starting   sync.WaitGroup
	violations violations
	figures    figures
	trace      io.Writer // what is listed and may be is told, nil = it is not
}

// replica is one run of the program.
type replica struct {
	server *testbed.Server
	client *client.Client
	of     release
	dead   atomic.Bool // it has been killed, or is about to be
}

// newWorld starts everything.
func newWorld(ctx context.Context, o options, binary string, pictures *testbed.PictureSet, environ []string) (w *world, err error) {
	w = &world{pictures: pictures, trace: o.trace, requests: &requests{sent: map[string]time.Time{}, waits: map[string]time.Time{}, arrived: map[string]time.Time{}, story: map[string][]string{}}}
	w.requests.twice = func(name string) { w.violations.add(nil, twice, "a second PUT of %s", name) }
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	// Each commit takes some milliseconds, as on a disk. Rows are locked as long, so that changes meet.
	w.servers, err = clustertest.Run(clustertest.Options{Port: true, Settings: []string{"commit_delay=20000", "commit_siblings=0"}})
	if err != nil {
		return w, err
	}
	if w.store, err = w.servers.Make(ctx, !o.plain); err != nil {
		return w, err
	}
	if w.database, err = newProxy(w.servers.DatabasePort(), copyBytes); err != nil {
		return w, err
	}
	endpoint, err := url.Parse(w.servers.Endpoint)
	if err != nil {
		return w, err
	}
	if w.gateway, err = newProxy(endpoint.Host, w.requests.passRequests); err != nil {
		return w, err
	}
	settings, err := testbed.ClusterSettings(o.dir, "postgres://avatard@"+w.database.address+"/"+w.store.Name, "http://"+w.gateway.address, w.store.Bucket)
	if err != nil {
		return w, err
	}
	w.testbed, err = testbed.New(testbed.Config{Binary: binary, Dir: o.dir, People: people, Environ: append(environ, settings...), Shared: true})
	if err != nil {
		return w, err
	}
	for i := range w.replicas {
		if err := w.start(ctx, i); err != nil {
			return w, fmt.Errorf("replica %d: %w", i, err)
		}
	}
	w.folders, err = w.folderNames(ctx)
	return w, err
}

// startLimit is how long a replica may be tried to start while servers that it needs are killed again and again.
const startLimit = 3 * time.Minute

// start starts a replica, again and again while the servers that it needs are down.
func (w *world) start(ctx context.Context, i int) error {
	for began := time.Now(); ; {
		of := w.upgrade.wanted(i)
		server, err := w.startRelease(ctx, of)
		if err == nil {
			w.replicas[i].Store(&replica{server: server, client: testbed.NewClient(server.URL), of: of})
			return nil
		}
		if ctx.Err() != nil || server == nil || time.Since(began) > startLimit {
			if server != nil {
				err = fmt.Errorf("%w\n%s", err, server.Log())
			}
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// kill kills a replica and starts it again after a while. It reports false when that is not running.
func (w *world) kill(ctx context.Context, i int, down time.Duration) bool {
	r := w.replicas[i].Swap(nil)
	if r == nil {
		return false
	}
	r.dead.Store(true)
	w.upgrade.kills[r.of].Add(1)
	r.server.Kill()
	r.client.Close()
	w.starting.Go(func() {
		pause(ctx, down)
		if err := w.start(ctx, i); err != nil && ctx.Err() == nil {
			w.violations.add(nil, unready, "replica %d does not start again: %v", i, err)
		}
	})
	return true
}

// any returns a replica that runs, in turn; nil when none does.
func (w *world) any(turn int) *replica {
	for i := range replicas {
		if r := w.replicas[(turn+i)%replicas].Load(); r != nil {
			w.upgrade.calls[r.of].Add(1)
			return r
		}
	}
	return nil
}

// query is a connection to the database that does not go through the proxy.
func (w *world) query(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, w.store.Database+" search_path=avatard")
}

// close ends everything.
func (w *world) close() {
	w.starting.Wait()
	for i := range w.replicas {
		if r := w.replicas[i].Swap(nil); r != nil {
			r.server.Kill()
			r.client.Close()
		}
	}
	for _, p := range []*proxy{w.database, w.gateway} {
		if p != nil {
			p.close()
		}
	}
	if w.testbed != nil {
		_ = w.testbed.Close()
	}
	if w.servers != nil {
		w.servers.Stop()
	}
}
