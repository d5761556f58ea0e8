package storagetest

import (
	"strings"

	"example.org/avatard/storage"
)

func checkPictureSizes(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	sizes := []int{1, 2, 199, 1000, 5000}
	// Around every power of two, where an engine that keeps pieces of fixed size has its seams, with and without
	// a header of its own.
	for size := 1 << 8; size < storage.MaxPictureBytes; size <<= 1 {
		sizes = append(sizes, size-64, size-40, size-32, size-24, size-16, size-1, size, size+1)
	}
	sizes = append(sizes, storage.MaxPictureBytes-64, storage.MaxPictureBytes-1, storage.MaxPictureBytes)
	for i, size := range sizes {
		up := upload(u, acme, sample(uint64(i), size))
		up.Picture.Format = []storage.Format{storage.PNG, storage.JPEG}[i%2]
		if _, err := f.store.Put(f.Context(), up); err != nil {
			t.Fatalf("Put(%d bytes) = %v, want nil", size, err)
		}
		if got := f.wantPicture(u, acme, up.Picture.Data); got.Format != up.Picture.Format {
			t.Errorf("Get = format %d, want %d", got.Format, up.Picture.Format)
		}
	}
	// A small picture in the place of the largest one must not show its rest.
	f.put(u, acme, []byte{7})
	f.lasting(func(string) { f.wantPicture(u, acme, []byte{7}) })

	largest := sample(77, storage.MaxPictureBytes)
	up := upload(u, acme, largest)
	up.Picture.Format = storage.JPEG
	if _, err := f.store.Put(f.Context(), up); err != nil {
		t.Fatalf("Put(%d bytes) = %v, want nil", len(largest), err)
	}
	f.lasting(func(when string) {
		if got := f.wantPicture(u, acme, largest); got.Format != storage.JPEG {
			t.Errorf("%s: Get = format %d, want %d", when, got.Format, storage.JPEG)
		}
	})
	zeros := make([]byte, 3000) // an engine must not draw conclusions from the content
	f.put(u, acme, zeros)
	f.lasting(func(string) { f.wantPicture(u, acme, zeros) })
}

func checkPictureRefused(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	kept := sample(1, 600)
	want := f.put(u, acme, kept)
	f.clock.advance(1e9)
	for name, picture := range map[string]storage.Picture{
		"no bytes":           {Format: storage.PNG},
		"one byte too many":  {Format: storage.PNG, Data: sample(2, storage.MaxPictureBytes+1)},
		"far too many":       {Format: storage.PNG, Data: sample(2, 8*storage.MaxPictureBytes)},
		"no format":          {Data: sample(2, 100)},
		"a format not known": {Format: 99, Data: sample(2, 100)},
	} {
		for _, target := range []storage.UserKey{u, user("nobody")} {
			up := storage.Upload{User: target, Organization: acme, By: origin(), Picture: picture, Register: true}
			_, err := f.store.Put(f.Context(), up)
			f.wantErr(err, storage.ErrInvalid, "Put(%q, %s)", target.ID, name)
		}
	}
	f.lasting(func(when string) {
		f.wantPicture(u, acme, kept)
		f.same(f.peek(u, acme), want, "%s: AddUser after refusals", when)
		_, err := f.store.Get(f.Context(), user("nobody"), acme)
		f.wantErr(err, storage.ErrUserNotFound, "%s: Get of whom a refused upload named", when)
	})
}

func checkPictureOwnership(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	for i, size := range []int{10, 5000, 300_000} {
		want := sample(uint64(i), size)
		mine := append(make([]byte, 0, size+64), want...)
		f.put(u, acme, mine)
		clear(mine) // the caller's slice is the caller's again
		got := f.wantPicture(u, acme, want)
		clear(got.Data) // and so is the one handed out
		_ = append(got.Data, "something behind it"...)
		f.lasting(func(string) { f.wantPicture(u, acme, want) })
	}
}

func checkGeneration(t TB, h Harness) {
	f := open(t, h)
	seen := map[string]bool{}
	data := sample(1, 500)
	for _, id := range []string{"one", "two"} {
		f.addUser(user(id), acme)
		for range 3 {
			up := upload(user(id), acme, data)
			up.Picture.Generation = "chosen by the caller"
			res, err := f.store.Put(f.Context(), up)
			if err != nil {
				t.Fatalf("Put = %v, want nil", err)
			}
			g := f.wantPicture(user(id), acme, data).Generation
			if res.Generation != g {
				t.Errorf("Put = generation %q, and Get has %q", res.Generation, g)
			}
			if len(g) < 16 || strings.Trim(g, "0123456789abcdef") != "" {
				t.Errorf("generation = %q, want lower-case hexadecimal of at least 64 bits", g)
			}
			if seen[g] {
				t.Errorf("generation %q came twice: it must say nothing about the content", g)
			}
			seen[g] = true
			f.lasting(func(when string) {
				if again := f.wantPicture(user(id), acme, data).Generation; again != g {
					t.Errorf("%s: generation = %q, want %q", when, again, g)
				}
			})
		}
	}
}

func checkSameContent(t TB, h Harness) {
	f := open(t, h)
	data := sample(1, 20_000)
	for _, id := range []string{"one", "two", "three"} {
		f.addUser(user(id), acme)
		f.put(user(id), acme, data)
	}
	f.remove(user("one"), acme)
	f.put(user("two"), acme, sample(2, 20_000))
	f.lasting(func(string) {
		f.wantNone(user("one"), acme)
		f.wantPicture(user("two"), acme, sample(2, 20_000))
		f.wantPicture(user("three"), acme, data)
	})
}
