package main

import (
	"fmt"
	"slices"
	"strconv"
)

// judge returns in what way a snapshot breaks what the expected state promises.
func (p *proof) judge(b expectedState, s *snapshot) (broken []string) {
	say := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	present := b.present()
	for n, length := range s.before {
		if !present[n] {
			say("before the start: %d bytes of picture %d, whose removal was acknowledged", length, n)
		}
	}
	for _, text := range s.wrong {
		say("%s", text)
	}
	if s.users == nil {
		return broken // the start failed
	}
	living := map[uint32]bool{}
	for user := range p.users {
		if number, ok := p.judgeUser(user, b[user], s, say); ok {
			living[number] = true
		}
	}
	for n, length := range s.after {
		if !living[n] {
			say("after the start: %d bytes of picture %d, which nobody has", length, n)
		}
	}
	for n := range living {
		if n != 0 && s.after[n] == 0 {
			say("the search does not find picture %d, which somebody has", n)
		}
	}
	slices.Sort(broken)
	return broken
}

// judgeUser says in what way a user's record and picture break what is expected. It returns the picture that the user has, 0 for
// none, when it is one of those that they may have.
func (p *proof) judgeUser(user int, q person, s *snapshot, say func(string, ...any)) (number uint32, ok bool) {
	h, registered := s.users[user]
	i := slices.IndexFunc(q.may(), func(pic picture) bool {
		if pic.number == 0 {
			return h.mark == 0
		}
		return h.size == pic.size && h.mark == p.fingerprint(pic)
	})
	if i < 0 {
		say("user %d has %d bytes and may have %v", user, h.size, q.may())
	} else {
		number, ok = q.may()[i].number, true
	}
	if q.vanished || q.sequence > 0 && !registered {
		say("user %d is not registered", user)
	}
	// A call that was not answered counts once at most, and once more if it registered the user.
	most := q.sequence + uint64(len(q.open))
	if q.sequence == 0 && len(q.open) > 0 {
		most++
	}
	if h.sequence < q.sequence || h.sequence > most {
		say("user %d has sequence %d, want %d to %d", user, h.sequence, q.sequence, most)
	}
	for _, receipt := range q.receipts {
		if !s.counts[receipt] {
			say("receipt %s of user %d is missing or does not count", receipt, user)
		}
	}
	for _, id := range q.answered {
		if n := s.audit[strconv.Itoa(id)]; n != 1 {
			say("%d records of change %d, which was answered", n, id)
		}
	}
	return number, ok
}
