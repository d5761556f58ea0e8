package server

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"example.org/avatard/storage"
)

func renditionOf(user string, generation string, side int) rendition {
	return rendition{storage.UserKey{Issuer: issuer, ID: user}, generation, side}
}

// What was dropped while it was made is not kept: its picture may be gone.
func TestRenditionsDroppedWhileMade(t *testing.T) {
	c := newRenditions(1 << 20)
	of := renditionOf(alice, "1", 64)
	since := c.since(of.user)
	c.drop(of.user)
	c.keep(of, since, storage.PNG, []byte("late"))
	if st := c.stats(); st.Entries != 0 || st.Used != 0 {
		t.Errorf("%+v, want nothing", st)
	}
	c.keep(of, c.since(of.user), storage.PNG, []byte("in time"))
	if p, ok := c.get(of); !ok || string(p.Data) != "in time" {
		t.Errorf("%q %v", p.Data, ok)
	}
	if _, ok := c.get(renditionOf(alice, "2", 64)); ok || c.size(renditionOf(alice, "2", 64)) != 0 || c.stats().Entries != 0 {
		t.Error("a rendition of another generation is there")
	}
}

// The memory has a bound in bytes. Those go that nobody asked for the longest, and their bytes are overwritten.
func TestRenditionsAreBounded(t *testing.T) {
	const each = 1000
	c := newRenditions(3 * (each + renditionCost))
	var kept []*keptRendition
	for i, user := range []string{"a", "b", "c", "d"} {
		if i == 3 {
			c.get(renditionOf("a", "1", 64)) // so that b goes
		}
		c.keep(renditionOf(user, "1", 64), 0, storage.PNG, bytes.Repeat([]byte{1}, each))
		kept = append(kept, c.latest.Front().Value.(*keptRendition))
	}
	c.keep(renditionOf("a", "1", 32), 0, storage.PNG, make([]byte, 4*each+4*renditionCost))
	for i, user := range []string{"a", "b", "c", "d"} {
		there := c.size(renditionOf(user, "1", 64)) > 0
		if want := user != "b"; there != want || bytes.Contains(kept[i].data, []byte{1}) != want {
			t.Errorf("%s: kept %v, want %v", user, there, want)
		}
	}
	if st := c.stats(); st.Entries != 3 || st.Used != st.Size {
		t.Errorf("%+v", st)
	}
}

// Nothing is kept for longer than its time.
func TestRenditionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newRenditions(1 << 20)
		first, second := renditionOf("a", "1", 64), renditionOf("b", "1", 64)
		c.keep(first, 0, storage.PNG, []byte("first"))
		kept := c.latest.Front().Value.(*keptRendition)
		time.Sleep(renditionLife - time.Second)
		c.keep(second, 0, storage.PNG, []byte("second"))
		c.get(first)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if c.size(first) != 0 || c.size(second) == 0 || !bytes.Equal(kept.data, make([]byte, 5)) {
			t.Errorf("kept %d and %d bytes, %q; want the second alone", c.size(first), c.size(second), kept.data)
		}
		time.Sleep(renditionLife)
		synctest.Wait()
		if st := c.stats(); st.Entries != 0 || st.Used != 0 {
			t.Errorf("%+v, want nothing", st)
		}
	})
}
