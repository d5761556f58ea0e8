package move

import (
	"context"
	"testing"

	"example.org/avatard/storage"
)

// noting wraps a receiver and calls a function before records are brought there.
type noting struct {
	storage.Receiver
	note func([]storage.Record)
}

type notingArrival struct {
	storage.Arrival
	note func([]storage.Record)
}

func (n noting) Arrive(ctx context.Context, id [16]byte) (storage.Arrival, error) {
	a, err := n.Receiver.Arrive(ctx, id)
	return notingArrival{a, n.note}, err
}

func (a notingArrival) Note(ctx context.Context, records []storage.Record) error {
	a.note(records)
	return a.Arrival.Note(ctx, records)
}

// While no change is let in, only what came since the last pass is brought: a receipt and a record of the trail for each removal.
func TestRestIsShort(t *testing.T) {
	from := dirOf(t)
	to, _ := clusterOf(t, false)
	want := fillStore(t, from, 100)
	var engine *Engine
	ready, exports, rest := make(chan struct{}), 0, storage.RecordCounts{}
	removed := []int{1, 2, 3}
	note := func(records []storage.Record) {
		<-ready
		for _, r := range records {
			if exports == 2 { // the copy and the comparison
				rest.Count(r)
			}
		}
		if len(records) == 0 {
			return
		}
		if _, end := records[len(records)-1].(storage.EndRecord); !end {
			return
		}
		if exports++; exports == 2 {
			for _, n := range removed {
				if _, err := engine.Remove(t.Context(), removalOf(n)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	done := make(chan Summary, 1)
	s, err := Place(Options{From: from, To: noting{to, note}}, func(sum Summary) { done <- sum }).Open(t.Context(), storage.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	engine = s.(*Engine)
	close(ready)
	<-done
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := int64(len(removed)); rest != (storage.RecordCounts{Receipts: n, Audit: n}) {
		t.Errorf("brought while nothing is let in: %+v, want %d receipts and as many records of the trail", rest, n)
	}
	want.counts.Receipts += int64(len(removed))
	want.counts.Audit += int64(len(removed))
	for _, n := range removed {
		delete(want.pictures, userOf(n))
		delete(want.infos, userOf(n))
	}
	opened(t, to, func(s storage.Engine) {
		if is := peopleOf(t, s); is.counts.Receipts != want.counts.Receipts || is.counts.Audit != want.counts.Audit || len(is.pictures) != len(want.pictures) {
			t.Errorf("records: %+v, want %+v", is.counts, want.counts)
		}
	})
}
