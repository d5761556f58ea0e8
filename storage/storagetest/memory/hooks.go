package memory

import (
	"maps"
	"slices"

	"example.org/avatard/storage"
	"example.org/avatard/storage/storagetest"
)

// Hooks adds all hooks to a harness.
func (m *Memory) Hooks(h storagetest.Harness) storagetest.Harness {
	h.Refusals, h.Break, h.Pieces, h.Kill = m.Refusals, m.cut, m.pieces, m.kill
	return h
}

func (m *Memory) state(name string) *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[name]
}

// cut keeps pictures from being erased until heal is called.
func (m *Memory) cut(name string) (heal func()) {
	st := m.state(name)
	set := func(broken bool) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.broken = broken
	}
	set(true)
	return func() { set(false) }
}

// pieces looks at every picture that is kept.
func (m *Memory) pieces(name string, p *storagetest.Pattern) (found []storagetest.Piece, err error) {
	st := m.state(name)
	st.mu.Lock()
	defer st.mu.Unlock()
	var kept []*storage.Picture
	for _, e := range st.users {
		kept = append(kept, e.picture, e.doomed)
	}
	if m.flaw == "keeps removed bytes" {
		kept = slices.AppendSeq(kept, maps.Values(st.removed))
	}
	for _, picture := range kept {
		if picture != nil {
			found = append(found, p.SearchBytes(picture.Data)...)
		}
	}
	return found, nil
}

// kill returns the same state by another name: every change of it has happened as a whole.
func (m *Memory) kill(name string) (left string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left = name + ", killed"
	if m.states[left] = m.states[name]; m.flaw == "loses what a process had" {
		m.states[left] = newState()
	}
	return left, nil
}
