package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"example.org/avatard/storage"
	"example.org/avatard/storage/embedded/internal/slab"
)

// underWay returns how many changes are in the queue or with the committer, and the bytes of their images.
func (s *Store) underWay() (changes int, bytes int64) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.count, s.queue.images
}

// leave makes a change whose caller leaves once it is under way. It returns the error when the change was refused.
func leave(s *Store, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	before, _ := s.underWay()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		default:
		}
		if now, _ := s.underWay(); now > before {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				return fmt.Errorf("under way: %w", err)
			}
			return nil
		}
		runtime.Gosched()
	}
}

// While the disk hangs, uploads stay in memory even if their callers leave: up to maxImageBytes, of which one caller gets a
// quarter. Removals are taken all the same; and when the disk works again, there is room again.
func TestUploadsUnderWayAreBoundedInBytes(t *testing.T) {
	ctx := context.Background()
	disk := newHeldLog()
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: disk.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustPut(t, s, 0, 3000)
	large := upload(1, storage.MaxPictureBytes)
	users := 0
	send := func(caller string) error {
		users++
		up := large
		up.User, up.By.Caller = testKey(users), caller
		return leave(s, func(ctx context.Context) error {
			_, err := s.Put(ctx, up)
			return err
		})
	}
	disk.held.Store(true)
	image := int64(len(slab.Image(slab.GenerationID{}, large.Picture.Data)))
	got := untilRefused(t, 5, send)
	each, all := int(maxCallerImageBytes/image), int(maxImageBytes/image)
	if want := fmt.Sprint([]int{each, each, each, each, all - 4*each}); fmt.Sprint(got) != want {
		t.Errorf("uploads taken of five callers: %v, want %v", got, want)
	}
	if _, bytes := s.underWay(); bytes != int64(all)*image || bytes > maxImageBytes {
		t.Errorf("%d bytes are under way, want %d", bytes, int64(all)*image)
	}
	removed := make(chan error, 1)
	go func() {
		_, err := s.Remove(ctx, removal(0))
		removed <- err
	}()
	<-disk.waiting
	disk.held.Store(false)
	disk.let <- struct{}{}
	if err := <-removed; err != nil {
		t.Errorf("Remove beside them = %v, want nil", err)
	}
	for n := 1; n > 0; n, _ = s.underWay() {
		runtime.Gosched()
	}
	if _, bytes := s.underWay(); bytes != 0 || len(s.queue.callers) != 0 {
		t.Errorf("%d bytes of %d callers are held when all is done, want none", bytes, len(s.queue.callers))
	}
	if _, err := s.Put(ctx, large); err != nil {
		t.Errorf("an upload after that = %v, want nil", err)
	}
}

// untilRefused lets one caller after the other upload until a call is refused, and returns how many each made.
func untilRefused(t *testing.T, callers int, send func(caller string) error) (uploads []int) {
	t.Helper()
	for caller := range callers {
		n := 0
		err := send(fmt.Sprint("caller-", caller))
		for ; err == nil; err = send(fmt.Sprint("caller-", caller)) {
			n++
		}
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("upload %d of caller %d = %v, want %v", n, caller, err, storage.ErrUnavailable)
		}
		uploads = append(uploads, n)
	}
	return uploads
}

// An upload that waits behind another of its user holds nothing once its caller has left.
func TestWaitingUploadOfALostCaller(t *testing.T) {
	ctx := context.Background()
	disk := newHeldLog()
	s, err := Open(ctx, Config{Dir: t.TempDir(), WrapFile: disk.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	disk.held.Store(true)
	put := func(ctx context.Context) error {
		_, err := s.Put(ctx, upload(1, 3000))
		return err
	}
	first := make(chan error, 1)
	go func() { first <- put(ctx) }()
	<-disk.waiting
	_, one := s.underWay()
	for range 3 {
		if err := leave(s, put); err != nil {
			t.Fatal(err)
		}
	}
	if _, bytes := s.underWay(); bytes != one || one == 0 {
		t.Errorf("%d bytes are held, want the %d of the first upload", bytes, one)
	}
	disk.held.Store(false)
	disk.let <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
}
