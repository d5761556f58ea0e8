package cli

import (
	"bufio"
	"context"
	"errors"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/internal/config"
	"example.org/avatard/internal/ids"
	"example.org/avatard/storage"
)

// followEvery is how often --follow looks for what is new.
const followEvery = time.Second

// auditCommand is "audit".
type auditCommand struct {
	settingFlags
	periodFlags
	Org    string `placeholder:"ORG" help:"only records of this organisation"`
	User   string `placeholder:"USER" help:"only what was done, or to be done, to this user"`
	Caller string `placeholder:"CALLER" help:"only what this caller did, such as \"command line\""`
	Action string `placeholder:"ACTION" help:"only this action, such as upload or user-erase; of refused calls the procedure, or method and route"`
	Kind   string `placeholder:"KIND" help:"changes or refusals only"`
	Follow bool   `help:"go on with what is new, until it is interrupted"`
	Format string `placeholder:"FORMAT" help:"text, json (a line for each) or csv"`
	JSON   bool   `name:"json" help:"the same as --format json"`
}

// Run lists the trail.
func (flags *auditCommand) Run(ctx context.Context, inv *Program) error {
	query, err := flags.query(inv.now())
	if err != nil {
		return err
	}
	format, err := flags.printer(isTerminal(inv.Stdout))
	if err != nil {
		return err
	}
	cfg, err := config.Read(inv.Environ, flags.Flags, "data")
	if err != nil {
		return err
	}
	place := inv.placeOf(cfg)
	lists := pages[admin.AuditRequest, admin.AuditReply]{admin.Client.Audit, func(ctx context.Context, store storage.Engine, req admin.AuditRequest) (admin.AuditReply, error) {
		if flags.Follow && place.ControlDir() != "" { // which has the data for itself, so that nothing new would come
			return admin.AuditReply{}, errors.New("--follow shows what a running server does, and none runs on this data directory")
		}
		return admin.ListAudit(ctx, store, req)
	}}
	out := bufio.NewWriter(inv.Stdout)
	format.begin(out)
	err = lists.each(ctx, place, admin.AuditRequest{Query: query}, func(reply admin.AuditReply) (*admin.AuditRequest, error) {
		for _, r := range reply.Records {
			if err := format.record(out, r); err != nil {
				return nil, err
			}
		}
		err := out.Flush()
		if err == nil && !reply.More && flags.Follow {
			err = inv.pause(ctx, followEvery)
		}
		if err != nil || !reply.More && !flags.Follow {
			return nil, err
		}
		query.After = reply.Next
		return &admin.AuditRequest{Query: query}, nil
	})
	if flags.Follow && ctx.Err() != nil {
		err = nil // it was to go on until then
	}
	return err
}

// query returns what the flags choose.
func (flags *auditCommand) query(now time.Time) (storage.AuditQuery, error) {
	q := storage.AuditQuery{Organization: flags.Org, Target: flags.User, Caller: flags.Caller, Action: flags.Action, Kind: storage.AuditKind(flags.Kind)}
	for _, id := range [...]struct{ text, what string }{{flags.Org, "an organisation"}, {flags.User, "a user"}} {
		if id.text != "" && !ids.Valid(id.text) {
			return q, usagef("%q is no id of %s; expected 1 to 200 characters without control characters", id.text, id.what)
		}
	}
	for _, text := range [...]struct{ flag, text string }{{"--caller", flags.Caller}, {"--action", flags.Action}} {
		if text.text != "" && !storage.ValidText(text.text) {
			return q, usagef("%s %q: expected 1 to %d bytes of UTF-8 without control characters", text.flag, text.text, storage.MaxIDBytes)
		}
	}
	if flags.Kind != "" && q.Kind != storage.ChangesOnly && q.Kind != storage.Refusals {
		return q, usagef("--kind %q: expected %s or %s", flags.Kind, storage.ChangesOnly, storage.Refusals)
	}
	if flags.Follow && flags.Until != "" {
		return q, usagef("--follow goes on until it is interrupted, and --until says when it would end")
	}
	var err error
	q.Since, q.Until, err = flags.period(now)
	return q, err
}

// pause waits, or returns the error of a context that ends first.
func (p *Program) pause(ctx context.Context, d time.Duration) error {
	if p.Pause != nil {
		return p.Pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
