package main

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/internal/admin"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// userEnded is the id of the error that an upload gets whose user has ended.
const userEnded = "AVATAR-u5Nd9"

// refused reports whether the answer to a change says that its user is not registered. No erasure is refused: these users were registered
// at some time.
func refused(k kind, a client.Answer) bool {
	switch {
	case a.Err != nil:
		return false
	case k == upload:
		return a.Code == connect.CodeFailedPrecondition && a.Detail.GetId() == userEnded
	}
	return k == remove && a.Code == connect.CodeNotFound
}

// erase ends a user, as the manager.
func (p *party) erase(ctx context.Context, form client.Form, user string) client.Answer {
	method := avatardv1.File_avatard_v1_erasure_proto.Services().ByName("ErasureService").Methods().ByName("EraseUser")
	a, _ := p.client.Invoke(ctx, form, client.Bearer(p.manager), method, &avatardv1.EraseUserRequest{UserId: user})
	return a
}

// add registers a user again.
func (p *party) add(ctx context.Context, id int, u *person) bool {
	created, err := p.readmit(ctx, u.ID)
	if err != nil {
		if errors.Is(err, admin.ErrRefused) {
			p.recorder.complain("%s of %s: %v", readmit, u.ID, err)
		}
		p.recorder.unanswered(id)
		return false
	}
	p.recorder.answered(id, outcome{Created: created, Picture: none})
	u.ended.Store(false)
	return true
}

// readmitter returns what registers users again: the server that runs on a data directory, or else the command, which does it in the
// database itself.
func readmitter(bed *testbed.Testbed, cluster bool) func(ctx context.Context, user string) (created bool, err error) {
	if cluster {
		return bed.AddUser
	}
	server := admin.NewClient(bed.Data())
	return func(ctx context.Context, user string) (created bool, err error) {
		return server.AddUser(ctx, admin.Request{User: user, Organization: testbed.Organization, Admission: admin.Admission{Readmits: true}})
	}
}
