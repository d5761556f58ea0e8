package storagetest

import "testing"

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name string
		good bool
		// kind, start, end, version (of changes), picture
		calls []call
	}{
		{"nothing happened", true, nil},
		{"one after the other", true, []call{
			{get, 1, 2, 0, none}, {put, 3, 4, 2, 0}, {get, 5, 6, 0, 0}, {remove, 7, 8, 3, none}, {get, 9, 10, 0, none},
			{remove, 11, 12, 3, none}, {put, 13, 14, 4, 1}, {get, 15, 16, 0, 1},
		}},
		{"a read during an upload sees either", true, []call{{put, 1, 6, 2, 0}, {get, 2, 3, 0, none}, {get, 4, 5, 0, 0}}},
		{"a read during a delete sees either", true, []call{
			{put, 1, 2, 2, 0}, {remove, 3, 8, 3, none}, {get, 4, 5, 0, 0}, {get, 6, 7, 0, none},
		}},
		{"concurrent deletes share a change", true, []call{{put, 1, 2, 2, 0}, {remove, 3, 6, 3, none}, {remove, 4, 5, 3, none}}},
		{"a delete of nothing, ever", true, []call{{remove, 1, 2, 1, none}, {put, 3, 4, 2, 0}}},
		{"looks between the changes", true, []call{
			{look, 1, 2, 1, none}, {put, 3, 8, 2, 0}, {look, 4, 5, 1, none}, {look, 6, 7, 2, 7}, {get, 9, 10, 0, 0}, {look, 11, 12, 2, 7},
			{remove, 13, 14, 3, none}, {look, 15, 16, 3, none},
		}},

		{"a look after a delete sees the picture", false, []call{{put, 1, 2, 2, 0}, {remove, 3, 4, 3, none}, {look, 5, 6, 2, 0}}},
		{"a look after a read goes back", false, []call{{put, 1, 6, 2, 0}, {get, 2, 3, 0, 0}, {look, 4, 5, 1, none}}},
		{"a look sees a picture that is gone", false, []call{{put, 1, 2, 2, 0}, {remove, 3, 4, 3, none}, {look, 5, 6, 3, 0}}},
		{"a look sees what no change made", false, []call{{put, 1, 2, 2, 0}, {look, 3, 4, 9, 0}}},
		{"a look sees what comes later", false, []call{{look, 1, 2, 2, 0}, {put, 3, 4, 2, 0}}},
		{"a read after a delete sees the picture", false, []call{{put, 1, 2, 2, 0}, {remove, 3, 4, 3, none}, {get, 5, 6, 0, 0}}},
		{"a read after a replacement sees the old one", false, []call{{put, 1, 2, 2, 0}, {put, 3, 4, 3, 1}, {get, 5, 6, 0, 0}}},
		{"a read after an upload sees none", false, []call{{put, 1, 2, 2, 0}, {get, 3, 4, 0, none}}},
		{"a picture is there, then not, then again", false, []call{
			{put, 1, 2, 2, 0}, {remove, 3, 10, 3, none}, {get, 4, 5, 0, none}, {get, 6, 7, 0, 0},
		}},
		{"a picture flickers during a replacement", false, []call{
			{put, 1, 2, 2, 0}, {put, 3, 10, 3, 1}, {get, 4, 5, 0, 1}, {get, 6, 7, 0, 0},
		}},
		{"none is read during a replacement", false, []call{{put, 1, 2, 2, 0}, {put, 3, 6, 3, 1}, {get, 4, 5, 0, none}}},
		{"a picture is read before its upload began", false, []call{{get, 1, 2, 0, 0}, {put, 3, 4, 2, 0}}},
		{"none is read before the delete began", false, []call{{put, 1, 2, 2, 0}, {get, 3, 4, 0, none}, {remove, 5, 6, 3, none}}},
		{"two uploads share a change", false, []call{{put, 1, 3, 2, 0}, {put, 2, 4, 2, 1}}},
		{"an upload and a delete share a change", false, []call{{put, 1, 3, 2, 0}, {remove, 2, 4, 2, none}}},
		{"a delete of nothing counts", false, []call{{put, 1, 2, 2, 0}, {remove, 3, 4, 3, none}, {remove, 5, 6, 4, none}}},
		{"a delete of nothing, ever, counts", false, []call{{remove, 1, 2, 2, none}}},
		{"a change is skipped", false, []call{{put, 1, 2, 2, 0}, {put, 3, 4, 4, 1}}},
		{"changes in the wrong order", false, []call{{put, 1, 2, 3, 0}, {put, 3, 4, 2, 1}}},
		{"a late delete reports an old change", false, []call{
			{put, 1, 2, 2, 0}, {remove, 3, 4, 3, none}, {put, 5, 6, 4, 1}, {remove, 7, 8, 3, none}, {remove, 9, 10, 5, none},
		}},
	} {
		if faults := explain(tt.calls); (len(faults) == 0) != tt.good {
			t.Errorf("%s: explain = %q, want faults: %v", tt.name, faults, !tt.good)
		}
	}
}
