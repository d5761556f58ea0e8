package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded"
)

// A store keeps one picture a user. When Remove returns, its bytes are gone and the receipt that proves it is durable.
func ExampleStore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	engine, err := embedded.Open(ctx, embedded.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	var store storage.Store = engine

	alice := storage.UserKey{Issuer: "https://id.example", ID: "alice"}
	by := storage.Origin{Caller: "example"}
	put, err := store.Put(ctx, storage.Upload{User: alice, Organization: "acme", Register: true, By: by,
		Picture: storage.Picture{Format: storage.PNG, Data: []byte("of a PNG")}})
	fmt.Println("put:", put.Details.Sequence, err)

	removed, err := store.Remove(ctx, storage.Removal{User: alice, Organization: "acme", By: by})
	fmt.Println("removed:", removed.Details.Sequence, removed.Receipt != "", err)

	_, err = store.Get(ctx, alice, "acme")
	fmt.Println("gone:", errors.Is(err, storage.ErrNoPicture))
	// Output:
	// put: 2 <nil>
	// removed: 3 true <nil>
	// gone: true
}
