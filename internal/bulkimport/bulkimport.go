// Package bulkimport gives many users their first picture, through the API of a running server, and can be killed at any moment: the next
// run goes on, uploads nothing twice and brings back nothing that was deleted since.
//
//	directory.go   the files of a directory ─► items
//	zitadel.go     the users of a ZITADEL who have a picture ─► items
//	bulkimport.go  items, several at once
//	item.go        what happens to one of them
//	journal.go     which were imported
//	otherserver.go whether that was at another address, which may be the same server
//	refusal.go     which were not, and why; which were uploaded and not read back
//
// Two things keep an item from being uploaded twice. The journal has a line for each that the server has acknowledged; nothing
// is uploaded again for their users unless Replace asks for it, so a picture that its user has deleted since stays deleted. And an upload is bound to there being no picture: where the
// acknowledgement got lost, the server refuses the second one, and a comparison with what it has tells that it is the same.
package bulkimport

import (
	"context"
	"fmt"
	"sync"

	"example.org/avatard/internal/client"
)

// Item is one picture and whose it is to be.
type Item struct {
	// Name is what people know it by, such as the name of its file.
	Name string
	User string
	// Read returns the picture. An error of Refuse is the item's own trouble, another one ends the import.
	Read func(ctx context.Context) ([]byte, error)
	// Refused tells why there is nothing to read; nil = there is.
	Refused *Refusal
}

// Server is what takes pictures; *client.Client is one.
type Server interface {
	Put(ctx context.Context, to client.Target, picture []byte, bound client.Condition) (client.Details, error)
	Get(ctx context.Context, of client.Target) (client.Picture, error)
}

// Config says how items are imported.
type Config struct {
	Server       Server
	Organization string
	// Journal is open.
	Journal *Journal
	// Register registers a user whom the server does not know; nil = such users' items are refused. Its errors are like those of Item.Read.
	Register func(ctx context.Context, user string) error
	// Normalize returns what a server stores of a picture. It is called for one picture at a time.
	Normalize func(ctx context.Context, picture []byte) ([]byte, error)
	// Replace imports also for users who have another picture, or whose item changed since it was imported.
	Replace bool
	// Verify reads each picture back and compares it.
	Verify bool
	// Parallel is how many items are under way at once, at least 1.
	Parallel int
	// Report is told of each item that is not imported, or Unverified, by one goroutine at a time; nil = nobody is. Its error ends the import.
	Report func(Refusal) error
	// Progress is told of each item that is done; nil = nobody is. It may be called concurrently.
	Progress func()
}

// Summary counts items by what became of them.
type Summary struct {
	Items int `json:"files"`
	// Imported were uploaded by this run.
	Imported int `json:"imported"`
	// Before were uploaded by an earlier run, says the journal.
	Before int `json:"importedBefore"`
	// There: the server had that very picture.
	There   int `json:"thereAlready"`
	Refused int `json:"refused"`
	Failed  int `json:"failed"`
	// Unverified were uploaded by this run, and not read back as they were. No later run uploads them again.
	Unverified int `json:"unverified,omitempty"`
}

func (s Summary) String() string {
	text := fmt.Sprintf("%d files: %d imported, %d imported before, %d there already, %d refused", s.Items, s.Imported, s.Before, s.There, s.Refused)
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	if s.Unverified > 0 {
		text += fmt.Sprintf(", %d imported and unverified", s.Unverified)
	}
	if left := s.Items - s.Imported - s.Before - s.There - s.Refused - s.Failed - s.Unverified; left > 0 {
		text += fmt.Sprintf(", %d left", left)
	}
	return text
}

// outcome is what became of an item.
type outcome int

const (
	imported outcome = iota
	importedBefore
	thereAlready
)

// run is one import.
type run struct {
	Config
	mu          sync.Mutex // held while an item is counted and reported
	sum         Summary
	normalizing sync.Mutex
}

// Run imports items until all are done, ctx ends, or something goes wrong that is not one item's own trouble, such as a server that is gone or
// refuses the caller. The summary counts what was done until then.
func Run(ctx context.Context, items []Item, cfg Config) (Summary, error) {
	r := &run{Config: cfg, sum: Summary{Items: len(items)}}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan Item)
	var workers sync.WaitGroup
	for range max(1, cfg.Parallel) {
		workers.Go(func() {
			for item := range next {
				if err := r.handle(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		select {
		case next <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	err := context.Cause(ctx)
	if syncErr := cfg.Journal.sync(); err == nil {
		err = syncErr
	}
	return r.sum, err
}

// handle does an item and counts it. An error ends the import.
func (r *run) handle(ctx context.Context, item Item) error {
	if ctx.Err() != nil {
		return nil // it is left for the next run
	}
	became, err := r.do(ctx, item)
	refused, ofItem := ownTrouble(item, err)
	if err != nil && !ofItem {
		return fmt.Errorf("%q: %w", item.Name, err)
	}
	if r.Progress != nil {
		r.Progress()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case refused != nil:
		switch refused.Reason {
		case Failed:
			r.sum.Failed++
		case Unverified:
			r.sum.Unverified++
		default:
			r.sum.Refused++
		}
		if r.Report != nil {
			return r.Report(*refused)
		}
	case became == imported:
		r.sum.Imported++
	case became == importedBefore:
		r.sum.Before++
	case became == thereAlready:
		r.sum.There++
	}
	return nil
}
