package main

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// kind is what a call does.
type kind string

const (
	upload  kind = "upload"
	remove  kind = "delete"
	read    kind = "read"
	erase   kind = "erase" // of the user, with the picture
	readmit kind = "readmit"
)

// none stands for no picture among the numbers of pictures.
const none = -1

// call is what a client asked for: the input of the model.
type call struct {
	Kind kind   `json:"kind"`
	User string `json:"user"`
	// Picture is the number of the one that is uploaded; no other upload of the history has it.
	Picture int `json:"picture"`
	// Asked is the picture whose entity tag a read names, or none.
	Asked int `json:"asked"`
	// How is route and wire form, for people.
	How string `json:"how"`
}

// outcome is what the client learned: the output of the model.
type outcome struct {
	// Open: no answer, or one that says that the change may be done or be done later.
	Open bool `json:"open,omitempty"`
	// Refused: the answer to an upload or a delete was that the user has ended, or that there is nobody of that id.
	Refused bool `json:"refused,omitempty"`
	// Created: the answer to a readmission was that the user was not registered before.
	Created bool `json:"created,omitempty"`
	// Sequence is that of the details of a change, 0 when the client does not know it.
	Sequence uint64 `json:"sequence,omitempty"`
	// Picture is what a read saw, or none.
	Picture int `json:"picture"`
	// Unchanged: the answer was 304.
	Unchanged bool `json:"unchanged,omitempty"`
}

// state is one user's record.
type state struct {
	sequence uint64
	picture  int
	ended    bool
}

// registered is what everybody begins with: the registration is the record's first change.
var registered = state{sequence: 1, picture: none}

// next returns what the record may be after a call with this outcome; nothing when the call cannot have had it. An open change is not
// done, done, or done in part.
func (s state) next(in call, out outcome) []state {
	if in.Kind == read {
		seen := out.Picture == s.picture && out.Unchanged == (s.picture != none && in.Asked == s.picture)
		if !seen {
			return nil
		}
		return []state{s}
	}
	steps := s.steps(in)
	switch {
	case out.Open:
		return append(steps, s)
	case out.Refused != (len(steps) == 0):
		return nil
	case out.Refused:
		return []state{s}
	}
	after := steps[len(steps)-1]
	if out.Sequence != 0 && out.Sequence != after.sequence || in.Kind == readmit && out.Created != s.ended {
		return nil
	}
	return []state{after}
}

// steps returns what the record becomes by a change, step by step, each of which counts one up; nothing when the change is refused. Only
// an erasure has two steps: the picture goes before the user.
func (s state) steps(in call) (list []state) {
	switch {
	case s.ended && in.Kind == readmit:
		return []state{{s.sequence + 1, none, false}}
	case s.ended && in.Kind != erase:
		return nil
	case s.ended || in.Kind == readmit:
		return []state{s}
	case in.Kind == upload:
		return []state{{s.sequence + 1, in.Picture, false}}
	}
	if s.picture != none {
		s = state{s.sequence + 1, none, false}
		list = append(list, s)
	}
	if in.Kind == erase {
		return append(list, state{s.sequence + 1, none, true})
	}
	if len(list) == 0 {
		return []state{s}
	}
	return list
}

// model is what one user may see of avatard, all users being independent of each other.
func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: partition,
		Init:      func() []any { return []any{registered} },
		Step: func(before, in, out any) (after []any) {
			for _, s := range before.(state).next(in.(call), out.(outcome)) {
				after = append(after, s)
			}
			return after
		},
		Hash: func(s any) uint64 {
			hash := s.(state).sequence<<32 ^ uint64(s.(state).picture)<<1
			if s.(state).ended {
				hash++
			}
			return hash * 0x9e3779b97f4a7c15
		},
		DescribeOperation: func(in, out any) string { return describe(in.(call), out.(outcome)) },
		DescribeState: func(s any) string {
			if s.(state).ended {
				return fmt.Sprintf("%d: ended", s.(state).sequence)
			}
			return fmt.Sprintf("%d: %s", s.(state).sequence, name(s.(state).picture))
		},
	}
	return m.ToModel()
}

func partition(history []porcupine.Operation) (parts [][]porcupine.Operation) {
	at := make(map[string]int)
	for _, op := range history {
		user := op.Input.(call).User
		i, ok := at[user]
		if !ok {
			i = len(parts)
			at[user] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}

func (in call) String() string {
	switch {
	case in.Kind == upload:
		return "upload of " + name(in.Picture)
	case in.Kind == read && in.Asked != none:
		return "read unless " + name(in.Asked)
	}
	return string(in.Kind)
}

func describe(in call, out outcome) string {
	switch {
	case in.Kind == read && out.Unchanged:
		return in.String() + " → unchanged"
	case in.Kind == read:
		return in.String() + " → " + name(out.Picture)
	case out.Open:
		return in.String() + " → open"
	case out.Refused:
		return in.String() + " → refused"
	case in.Kind == readmit:
		return fmt.Sprintf("%v → new: %v", in, out.Created)
	}
	return fmt.Sprintf("%v → done, %d", in, out.Sequence)
}

func name(picture int) string {
	if picture == none {
		return "nothing"
	}
	return fmt.Sprintf("picture %d", picture)
}

// checkLimit is how long a check may take. One that takes longer has shown nothing.
const checkLimit = 30 * time.Second

// verdict is what a check has found.
type verdict struct {
	result porcupine.CheckResult
	took   time.Duration
}

// judge checks whether there is an order of the calls that explains all answers.
func judge(history []porcupine.Operation) verdict {
	began := time.Now()
	result := porcupine.CheckOperationsTimeout(model(), history, checkLimit)
	return verdict{result, time.Since(began)}
}
