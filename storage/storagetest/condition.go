package storagetest

import (
	"errors"
	"sync/atomic"

	"example.org/avatard/storage"
)

// checkConditions demands of every condition that it is decided by the picture as it is, and that a change whose condition does not
// hold has changed nothing, also after reopening.
func checkConditions(t TB, h Harness) {
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	f.put(u, acme, sample(1, 900))
	old := f.wantPicture(u, acme, sample(1, 900)).Generation
	f.put(u, acme, sample(2, 5000))
	now := f.wantPicture(u, acme, sample(2, 5000)).Generation
	f.checkConditionsThatFail(u, old, now)
	f.checkConditionsThatHold(u, old, now)
}

// checkConditionsThatFail is about a user whose picture was old before and is now.
func (f *fixture) checkConditionsThatFail(u storage.UserKey, old, now string) {
	record := f.peek(u, acme)
	for name, c := range map[string]storage.Condition{
		"another generation":          {IfMatch: []string{old}},
		"no generation at all":        {IfMatch: []string{"", "nonsense"}},
		"anything but what there is":  {IfNoneMatch: []string{old, now}},
		"nothing":                     {IfNoneMatch: []string{storage.AnyPicture}},
		"this one, and nothing":       {IfMatch: []string{now}, IfNoneMatch: []string{storage.AnyPicture}},
		"another one, or another one": {IfMatch: []string{old, old + "0"}},
	} {
		f.wantErr(f.putIf(u, c, false), storage.ErrConditionFailed, "Put that demands %s", name)
		_, err := f.removeIf(u, c)
		f.wantErr(err, storage.ErrConditionFailed, "Remove that demands %s", name)
	}
	stranger := user("stranger")
	f.wantErr(f.putIf(stranger, storage.Condition{IfMatch: []string{storage.AnyPicture}}, true), storage.ErrConditionFailed, "Put of a stranger that demands a picture")
	f.lasting(func(when string) {
		f.same(f.peek(u, acme), record, "record %s", when)
		if p := f.wantPicture(u, acme, sample(2, 5000)); p.Generation != now {
			f.Errorf("generation %s = %q, want %q", when, p.Generation, now)
		}
		_, err := f.store.Stat(f.Context(), stranger, acme)
		f.wantErr(err, storage.ErrUserNotFound, "Stat of the stranger %s", when)
	})
}

// checkConditionsThatHold is about the same user, and ends without a picture.
func (f *fixture) checkConditionsThatHold(u storage.UserKey, old, now string) {
	if err := f.putIf(user("stranger"), storage.Condition{IfNoneMatch: []string{storage.AnyPicture}}, true); err != nil {
		f.Errorf("Put of a stranger that demands no picture = %v, want nil", err)
	}
	if err := f.putIf(u, storage.Condition{IfMatch: []string{old, now}, IfNoneMatch: []string{old}}, false); err != nil {
		f.Errorf("Put that demands the picture there is = %v, want nil", err)
	}
	now = f.wantPicture(u, acme, sample(3, 700)).Generation
	gone, err := f.removeIf(u, storage.Condition{IfMatch: []string{now}})
	if err != nil {
		f.Errorf("Remove that demands the picture there is = %v, want nil", err)
	}
	f.wantNone(u, acme)
	_, err = f.removeIf(u, storage.Condition{IfMatch: []string{storage.AnyPicture}})
	f.wantErr(err, storage.ErrConditionFailed, "Remove that demands a picture where there is none")
	f.wantErr(f.putIf(u, storage.Condition{IfMatch: []string{now}}, false), storage.ErrConditionFailed, "Put that demands a picture that is gone")
	again, err := f.removeIf(u, storage.Condition{IfMatch: []string{now}})
	if err != nil {
		f.Errorf("Remove that is repeated = %v, want nil", err)
	}
	f.same(again, gone, "Remove that is repeated")
}

func (f *fixture) putIf(u storage.UserKey, c storage.Condition, register bool) error {
	up := upload(u, acme, sample(3, 700))
	up.If, up.Register = c, register
	_, err := f.store.Put(f.Context(), up)
	return err
}

func (f *fixture) removeIf(u storage.UserKey, c storage.Condition) (storage.Result, error) {
	rm := removal(u, acme)
	rm.If = c
	return f.store.Remove(f.Context(), rm)
}

// checkConditionsAtOnce demands that a condition is decided with the change: of many uploads that each demand the same picture, or none,
// one is made.
func checkConditionsAtOnce(t TB, h Harness) {
	const callers, rounds = 8, 6
	f := open(t, h)
	u := user("u")
	f.addUser(u, acme)
	c := storage.Condition{IfNoneMatch: []string{storage.AnyPicture}}
	for range rounds {
		var made atomic.Int32
		together(callers, func(i int) {
			up := upload(u, acme, sample(uint64(i), 300+i))
			up.If = c
			switch _, err := f.store.Put(f.Context(), up); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, storage.ErrConditionFailed):
				f.Errorf("Put = %v, want nil or %v", err, storage.ErrConditionFailed)
			}
		})
		if made.Load() != 1 {
			f.Errorf("%d of %d uploads with the condition %+v were made, want one", made.Load(), callers, c)
		}
		c = storage.Condition{IfMatch: []string{f.stat(u, acme).Generation}}
	}
}
