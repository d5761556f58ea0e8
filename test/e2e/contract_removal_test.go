package e2e

import (
	"sync"
	"testing"
)

// A delete that is repeated, in whatever form, answers as the first did and changes nothing.
func (c *contract) testAgain(t *testing.T) {
	c.give(t, "USER_CAROL")
	q := question{user: c.variable("USER_CAROL"), fields: []wireField{c.bearer("TOKEN_ADMIN"), {"X-Zitadel-Orgid", c.variable("ORG_GLOBEX")}}}
	want := wanted{owner: c.variable("ORG_GLOBEX")}
	first := c.ask(t, wireForms()[0], wireForms()[0].request(q), want)
	if first.fields.Get("X-Avatard-Receipt") == "" {
		t.Error("the first delete has no receipt")
	}
	inEveryForm(t, wireForms(), func(t *testing.T, f wireForm) {
		wantSameDetails(t, c.ask(t, f, f.request(q), want), first)
	})
	c.give(t, "USER_CAROL")
	second := c.ask(t, wireForms()[0], wireForms()[0].request(q), want)
	if got, before := second.details.GetSequence(), first.details.GetSequence(); got != before+2 {
		t.Errorf("after one more upload and delete the sequence is %d, before it was %d", got, before)
	}
	if second.fields.Get("X-Avatard-Receipt") == first.fields.Get("X-Avatard-Receipt") {
		t.Error("another erasure has the same receipt")
	}
}

// Sixteen clients that delete one picture at once, in all forms, are told the same.
func (c *contract) testTogether(t *testing.T) {
	const clients = 16
	for range 8 {
		c.give(t, "USER_ALICE")
		q := question{user: c.variable("USER_ALICE"), fields: []wireField{c.bearer("TOKEN_ADMIN")}}
		var verdicts [clients]verdict
		var begin, ended sync.WaitGroup
		begin.Add(1)
		for i := range clients {
			f := wireForms()[i%len(wireForms())]
			ended.Go(func() {
				begin.Wait()
				a, err := c.exchange(t.Context(), f.version, f.request(q))
				if err != nil {
					t.Errorf("%s: %v", f.name, err)
					return
				}
				if verdicts[i], err = f.read(a); err != nil {
					t.Errorf("%s: %v", f.name, err)
					return
				}
				f.check(t, verdicts[i], wanted{owner: c.variable("ORG_ACME")})
			})
		}
		begin.Done()
		ended.Wait()
		for _, v := range verdicts[1:] {
			wantSameDetails(t, v, verdicts[0])
		}
		if verdicts[0].fields.Get("X-Avatard-Receipt") == "" {
			t.Error("no receipt")
		}
		c.wantGone(t, "USER_ALICE")
	}
}
