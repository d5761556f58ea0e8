package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	avatardv1 "example.org/avatard/gen/avatard/v1"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// asked is one call that erases the organisation, which is ended by its caller, by the server's end, or when nobody is left.
type asked struct {
	how      string
	cancel   context.CancelFunc
	over     chan struct{}
	told     []int64 // how many users are erased, each time that the call said so
	finished bool
	err      error
}

// ask begins a call: the command and each wire form of the RPC in turn.
func (p *proof) ask(ctx context.Context) *asked {
	forms := client.Forms()
	form := forms[p.calls/2%len(forms)]
	byCommand := p.calls%2 == 0
	p.calls++
	if byCommand {
		return begin(ctx, "command", p.command)
	}
	return begin(ctx, string(form), func(ctx context.Context, a *asked) { p.rpc(ctx, form, a) })
}

func begin(ctx context.Context, how string, call func(context.Context, *asked)) *asked {
	a := &asked{how: how, over: make(chan struct{})}
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		defer close(a.over)
		defer a.cancel()
		call(ctx, a)
	}()
	return a
}

// stop ends the call, as a caller who has had enough, and returns when it is over.
func (a *asked) stop() {
	a.cancel()
	<-a.over
}

// rpc calls EraseOrganization.
func (p *proof) rpc(ctx context.Context, form client.Form, a *asked) {
	calls := p.server.Client()
	if calls == nil {
		a.err = testbed.ErrEnded
		return
	}
	method := avatardv1.File_avatard_v1_erasure_proto.Services().ByName("ErasureService").Methods().ByName("EraseOrganization")
	// The timeout of a client is shorter than a call may take.
	patient := client.New(client.Config{URL: calls.URL})
	defer patient.Close()
	answer, messages := patient.Invoke(ctx, form, client.Bearer(p.testbed.Owner()), method,
		&avatardv1.EraseOrganizationRequest{OrganizationId: testbed.OtherOrganization})
	for _, m := range messages {
		fields := m.ProtoReflect().Descriptor().Fields()
		a.told = append(a.told, int64(m.ProtoReflect().Get(fields.ByName("users_erased")).Uint()))
		a.finished = m.ProtoReflect().Get(fields.ByName("finished")).Bool()
	}
	if !answer.Acknowledged() {
		a.err = fmt.Errorf("%v", answer)
	}
}

// progressLine is what the command prints about every three seconds, and when it ends.
var progressLine = regexp.MustCompile(`(?m)^removing users: (\d+) of \d+ \(\d+ %\), `)

// command runs "erase org" beside the server. It is interrupted as at a terminal.
func (p *proof) command(ctx context.Context, a *asked) {
	cmd := exec.CommandContext(ctx, p.binary, "erase", "org", testbed.OtherOrganization, "--data", p.testbed.Data()) //nolint:gosec // the program, from Build
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = []string{}, &stderr
	out, err := cmd.Output()
	for _, line := range progressLine.FindAllSubmatch(stderr.Bytes(), -1) {
		n, _ := strconv.ParseInt(string(line[1]), 10, 64) // digits
		a.told = append(a.told, n)
	}
	a.finished = err == nil
	if err != nil {
		a.err = fmt.Errorf("%w: %s%s", err, out, stderr.Bytes())
	}
}
