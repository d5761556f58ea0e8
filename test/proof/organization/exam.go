package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"example.org/avatard/internal/admin"
	"example.org/avatard/server/picture"
	"example.org/avatard/test/client"
	"example.org/avatard/test/proof/testbed"
)

// errPieces: bytes of a picture are in a file that must not be there.
var errPieces = errors.New("bytes of erased pictures are in files")

// violations are what must not be.
type violations struct {
	mu   sync.Mutex
	list []string
}

func (v *violations) add(format string, arguments ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = append(v.list, fmt.Sprintf(format, arguments...))
}

func (v *violations) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.list) == 0 {
		return nil
	}
	return fmt.Errorf("%d wrong: %q", len(v.list), v.list[:min(len(v.list), 10)])
}

// autopsy looks at what a kill left: of a picture whose receipt counts no byte is there.
func (p *proof) autopsy() error {
	m, err := p.testbed.Metadata()
	if err != nil {
		return err
	}
	counts := make(map[string]bool)
	err = m.Receipts(0, func(r testbed.Receipt) { counts[r.User] = counts[r.User] || r.Counts })
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	found, err := p.search()
	for number, piece := range found {
		if counts[p.key(number).ID] {
			err = errors.Join(err, fmt.Errorf("%w: killed: user %d: %v", errPieces, number, piece))
			break
		}
	}
	return err
}

// exam looks at everything, with the server and without.
func (p *proof) exam(ctx context.Context) error {
	calls := p.server.Client()
	p.examAnswers(ctx, calls)
	if err := p.examReceipts(ctx); err != nil {
		return err
	}
	if err := p.server.Stop(); err != nil {
		return fmt.Errorf("the server did not stop as it should: %w", err)
	}
	if printed, err := p.testbed.Fsck(ctx); err != nil {
		return fmt.Errorf("%w: %s", err, printed)
	}
	if err := p.examLog(ctx); err != nil {
		return err
	}
	found, err := p.search()
	for number, piece := range found {
		return fmt.Errorf("%w: of %d users, such as %d: %v", errPieces, len(found), number, piece)
	}
	p.examRate()
	return err
}

// examAnswers sees that the organisation has nobody, and takes nobody.
func (p *proof) examAnswers(ctx context.Context, calls *client.Client) {
	server := admin.NewClient(p.testbed.Data())
	for req, users := (admin.ListRequest{}), 0; ; {
		page, err := server.List(ctx, req)
		users += len(page.Users)
		others := func(u admin.User) bool { return u.Organization != testbed.Organization }
		if err != nil || slices.ContainsFunc(page.Users, others) || page.Next == nil && users != p.o.callers {
			p.wrong.add("want no users but the callers: %v, %v", page.Users, err)
		}
		if page.Next == nil {
			break
		}
		req.Query.After = *page.Next
	}
	organizations, err := server.List(ctx, admin.ListRequest{Organizations: true})
	if err != nil || len(organizations.Organizations) != 1 || organizations.Organizations[0].Organization != testbed.Organization {
		p.wrong.add("registered organisations are %v, %v", organizations, err)
	}
	for _, number := range p.sample {
		user := p.key(number).ID
		if r := calls.Read(ctx, testbed.OtherOrganization, user, ""); r.Err != nil || r.Status != http.StatusNotFound {
			p.wrong.add("the picture of %s is read: %d, %v", user, r.Status, r.Err)
		}
	}
	for _, user := range []string{p.key(1).ID, "somebody-new"} {
		if a := calls.Upload(ctx, client.Bearer(p.testbed.Owner()), user, picture.Sample(p.o.seed, 1000)); a.Err != nil || a.Code == 0 {
			p.wrong.add("an upload for %s of the organisation: %v", user, a)
		} else {
			p.figures.refusal = a.String()
		}
	}
}

// examReceipts lists all receipts: in the organisation there is one for each picture, and no other.
func (p *proof) examReceipts(ctx context.Context) error {
	out, err := p.run(ctx, "receipts", "export", "-")
	if err != nil {
		return err
	}
	have := make(map[string]int)
	for lines := json.NewDecoder(strings.NewReader(out)); ; {
		var r admin.Receipt
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("receipts export: %w", err)
		}
		p.figures.receipts++
		if r.Organization != testbed.OtherOrganization {
			continue
		}
		if have[r.User]++; r.Reason != admin.ReasonRemoved {
			p.wrong.add("a receipt: %+v", r)
		}
	}
	for n := range p.o.users {
		want := 0
		if hasPicture(n) {
			want = 1
		}
		if user := p.key(n).ID; have[user] != want {
			p.wrong.add("%d receipts of %s, want %d", have[user], user, want)
		}
	}
	return nil
}

// noteHead notes the head of the log of receipts, which all later ones have to begin with. It seals what is not sealed yet.
func (p *proof) noteHead(ctx context.Context) error {
	head, err := p.run(ctx, "receipts", "head", "--json")
	if err != nil {
		return err
	}
	file := filepath.Join(p.o.dir, fmt.Sprintf("head-%d", len(p.noted)))
	p.noted = append(p.noted, file)
	return os.WriteFile(file, []byte(head), 0o600)
}

// examLog lets the program walk the log of receipts: it has each of both organisations as it was sealed, and goes on from every noted head.
func (p *proof) examLog(ctx context.Context) error {
	if err := p.noteHead(ctx); err != nil {
		return err
	}
	args := []string{"receipts", "verify", "--json"}
	for _, file := range p.noted {
		args = append(args, "--noted", file)
	}
	out, err := p.run(ctx, args...)
	var seen admin.VerifiedReceipts
	if err == nil {
		err = json.Unmarshal([]byte(out), &seen)
	}
	if err == nil && (seen.Receipts != int64(p.figures.receipts) || seen.Dropped+seen.Unsealed != 0 || seen.Noted != len(p.noted) || seen.Finding != "") {
		p.wrong.add("the log of receipts: %s, want %d receipts and %d noted heads", out, p.figures.receipts, len(p.noted))
	}
	return err
}

// run runs a command of the program on the data directory, and returns what it prints.
func (p *proof) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.binary, append(args, "--data", p.testbed.Data())...) //nolint:gosec // the program, from Build
	var stderr strings.Builder
	cmd.Env, cmd.Stderr = []string{"TMPDIR=" + p.testbed.Temp()}, &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s%s", strings.Join(args[:2], " "), err, out, stderr.String())
	}
	return string(out), err
}

// figures count what was done.
type figures struct {
	pictures       int
	receipts       int      // of both organisations
	alone, beside  []window // in pairs
	killedAt       []int    // users gone by then
	restarts       []time.Duration
	reports, rises int
	refusal        string
	took           time.Duration
}

// kept returns the part of their rate that callers keep: the median of the pairs, and the quarters around it.
func (f *figures) kept() (median, low, high float64) {
	var ratios []float64
	for i := range f.alone {
		ratios = append(ratios, f.beside[i].rate()/f.alone[i].rate())
	}
	if len(ratios) == 0 {
		return 0, 0, 0
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2], ratios[len(ratios)/4], ratios[len(ratios)*3/4]
}

func (p *proof) examRate() {
	if median, _, _ := p.figures.kept(); median < p.o.ratio {
		p.wrong.add("callers keep %.2f of their rate, want %.2f", median, p.o.ratio)
	}
	if p.figures.rises == 0 {
		p.wrong.add("no call said that it got on: %d reports", p.figures.reports)
	}
}

// report prints the figures.
func (p *proof) report() {
	f := &p.figures
	fmt.Fprintf(p.out, "erased in %s, killed after %v users; a restart served again after at most %s; %d reports, %d of them of more users than before\n",
		f.took.Round(100*time.Millisecond), f.killedAt, slices.Max(append(f.restarts, 0)).Round(time.Millisecond), f.reports, f.rises)
	fmt.Fprintf(p.out, "callers of the other organisation: %d calls answered, %d of them changes, %d without an answer; a new upload for the organisation: %s\n",
		p.meter.answered.Load(), p.meter.changes.Load(), p.meter.unanswered.Load(), f.refusal)
	if median, low, high := f.kept(); len(f.alone) > 0 {
		fmt.Fprintf(p.out, "they keep %.2f of their rate (%.2f to %.2f, %d pairs of windows); alone %.0f a second\n", median, low, high, len(f.alone), f.alone[len(f.alone)/2].rate())
	}
	fmt.Fprintf(p.out, "nobody is left; %d receipts, and with those of the callers %d in the log, which goes on from %d noted heads; no byte of %d pictures in any file\n",
		f.pictures, f.receipts, len(p.noted), len(p.sample))
}
