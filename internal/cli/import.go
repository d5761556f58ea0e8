package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"example.org/avatard/internal/bulkimport"
	"example.org/avatard/internal/client"
	"example.org/avatard/internal/ids"
	"example.org/avatard/server/picture"
)

// importCommand is "import".
type importCommand struct {
	settingFlags
	Org string `required:"" placeholder:"ORG" help:"organisation that the users belong to"`
	serverFlags
	tokenFlags
	Timeout  string `default:"1m" placeholder:"TIME" help:"how long one upload may take, with all tries while the server is busy"`
	Parallel string `default:"4" placeholder:"N" help:"how many uploads are under way at once, 1 to 16"`
	Replace  bool   `help:"import also for users who have another picture, which is erased, and files that changed since they were imported"`
	Register bool   `help:"register users who are not, as user add does, through the server that runs on the data directory of --data or --config, or in the database of --config"`
	NewOrg   bool   `help:"with --register, register ORG too, if it is not yet"`
	Journal  string `placeholder:"FILE" help:"file that knows what was imported, for the next run; new, or that of an earlier run; without it one among the user's own state"`
	JSON     bool   `name:"json" help:"print a line of JSON for each file that is not imported and one for the summary"`

	FromZitadel      string `name:"from-zitadel" placeholder:"URL" help:"in place of DIR, a ZITADEL whose users' pictures are imported; each is read back and compared"`
	ZitadelTokenFile string `name:"zitadel-token-file" placeholder:"FILE" help:"file whose first line is an access token for that; without it the same token"`

	Dir string `arg:"" optional:"" name:"DIR" help:"directory with a file for each user, such as 150317214593155073.png"`
}

// mostParallel bounds --parallel: a server has two to four uploads of one caller in work.
const mostParallel = 16

// Run imports a directory, or the pictures of a ZITADEL, or the rest of them.
func (flags *importCommand) Run(ctx context.Context, inv *Program) error {
	if (flags.Dir == "") == (flags.FromZitadel == "") {
		return usagef("where from? name a directory, or a ZITADEL with --from-zitadel")
	}
	if !ids.Valid(flags.Org) {
		return usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.Org)
	}
	parallel := 0
	if _, err := fmt.Sscanf(flags.Parallel+"\n", "%d\n", &parallel); err != nil || parallel < 1 || parallel > mostParallel {
		return usagef("--parallel %q: expected 1 to %d", flags.Parallel, mostParallel)
	}
	return flags.withRegister(ctx, inv, func(register func(context.Context, string) error) error {
		return flags.run(ctx, inv, parallel, register)
	})
}

// run imports when the flags have been looked at. register may be nil.
func (flags *importCommand) run(ctx context.Context, inv *Program, parallel int, register func(context.Context, string) error) (err error) {
	call := callFlags{Org: flags.Org, serverFlags: flags.serverFlags, tokenFlags: flags.tokenFlags, Timeout: flags.Timeout}
	caller, err := call.caller(inv, false)
	if err != nil {
		return err
	}
	defer caller.Close()
	items, from, end, err := flags.items(ctx, inv)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer end()
	address, err := flags.address(inv)
	if err != nil {
		return err
	}
	journal, err := flags.journal(inv, bulkimport.Subject{Server: address, Organization: flags.Org, From: from})
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	return runImport(ctx, inv, flags.JSON, items, bulkimport.Config{Server: caller, Organization: flags.Org, Journal: journal,
		Register: register, Normalize: normalizer(), Replace: flags.Replace, Verify: flags.FromZitadel != "", Parallel: parallel})
}

// items returns what is to be imported, and where from. end releases it.
func (flags *importCommand) items(ctx context.Context, inv *Program) (items []bulkimport.Item, from string, end func(), err error) {
	if flags.FromZitadel == "" {
		if from, err = placeOfDirectory(flags.Dir); err != nil {
			return nil, "", nil, err
		}
		items, dir, err := bulkimport.ReadDirectory(flags.Dir, picture.MostUploadBytes)
		return items, from, func() { _ = dir.Close() }, err // it was read only
	}
	if from, err = client.Address(flags.FromZitadel, flags.AllowHTTP); err != nil {
		return nil, "", nil, usagef("--from-zitadel %v", err)
	}
	var tokens client.Tokens
	if flags.ZitadelTokenFile != "" {
		tokens = client.TokenFile(flags.ZitadelTokenFile)
	} else if tokens, err = flags.tokens(inv); err != nil {
		return nil, "", nil, err
	}
	if tokens == nil {
		return nil, "", nil, usagef("which token for ZITADEL? --zitadel-token-file, --token-file, --token-command or %s", tokenVariable)
	}
	limit, err := parseTimeout(flags.Timeout)
	if err != nil {
		return nil, "", nil, err
	}
	hc := client.NewHTTPClient()
	hc.Timeout = limit
	zitadel := &bulkimport.Zitadel{URL: from, Tokens: tokens, HTTP: hc, Limit: picture.MostUploadBytes}
	items, err = zitadel.Items(ctx, flags.Org)
	return items, from, hc.CloseIdleConnections, err
}

// placeOfDirectory is what a journal calls a directory: the same by whatever links somebody gets there.
func placeOfDirectory(dir string) (string, error) {
	place, err := filepath.EvalSymlinks(dir)
	if err == nil {
		place, err = filepath.Abs(place)
	}
	if !utf8.ValidString(place) { // JSON would make several names one; a quoted name is no absolute path
		place = strconv.Quote(place)
	}
	return place, err
}

// normalizer returns what says what a server stores of a picture: the same code that servers have.
func normalizer() func(context.Context, []byte) ([]byte, error) {
	n := picture.New(picture.Config{MaxUploadBytes: picture.MostUploadBytes, MaxPixels: picture.MostPixels})
	return func(ctx context.Context, data []byte) ([]byte, error) {
		stored, err := n.Normalize(ctx, data)
		return stored.Data, err
	}
}

// journal opens the journal of an import. Where no file is named, there is one for each server, organisation and place. Under another
// address a server cannot be told from another server, so a second address is refused.
func (flags *importCommand) journal(inv *Program, subject bulkimport.Subject) (*bulkimport.Journal, error) {
	if flags.Journal != "" {
		return bulkimport.OpenJournal(flags.Journal, subject, tryLock)
	}
	dir, err := inv.stateDir()
	if err != nil {
		return nil, usagef("%v; name a file with --journal", err)
	}
	dir = filepath.Join(dir, "imports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text, err := json.Marshal(subject)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	name := filepath.Join(dir, hex.EncodeToString(sum[:8])+".jsonl")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if other := bulkimport.OtherServer(dir, subject); other != "" {
			return nil, usagef("the same was imported at %s. If that is this server, name it so with --url: what users deleted since would come back. If it is another one, name a new file with --journal", other)
		}
	}
	return bulkimport.OpenJournal(name, subject, tryLock)
}

// runImport shows how an import comes along, and what came of it.
func runImport(ctx context.Context, inv *Program, asJSON bool, items []bulkimport.Item, cfg bulkimport.Config) error {
	var bar *progress
	if !asJSON || isTerminal(inv.Stderr) {
		bar = startProgress(inv.Stderr, "importing", len(items))
		var done atomic.Int64
		cfg.Progress = func() { bar.set(done.Add(1), int64(len(items))) }
	}
	cfg.Report = func(refused bulkimport.Refusal) error {
		if asJSON {
			return json.NewEncoder(inv.Stdout).Encode(refused)
		}
		return bar.aside(func() error {
			_, err := fmt.Fprintln(inv.Stdout, refused.Line())
			return err
		})
	}
	sum, err := bulkimport.Run(ctx, items, cfg)
	if bar != nil {
		bar.finish()
	}
	if printErr := printSummary(inv, asJSON, sum); err == nil {
		err = printErr
	}
	switch {
	case err != nil:
		return fmt.Errorf("import: %w; the same command goes on", err)
	case sum.Failed > 0:
		return fmt.Errorf("import: %s failed; the same command tries again", countOf(int64(sum.Failed), "file"))
	case sum.Unverified > 0:
		return fmt.Errorf("import: %s imported and not read back as it was; later runs leave that as it is", countOf(int64(sum.Unverified), "file"))
	case sum.Refused > 0:
		return fmt.Errorf("import: %w: %s", client.ErrRefused, countOf(int64(sum.Refused), "file"))
	}
	return nil
}

func printSummary(inv *Program, asJSON bool, sum bulkimport.Summary) error {
	if asJSON {
		return json.NewEncoder(inv.Stdout).Encode(map[string]bulkimport.Summary{"summary": sum})
	}
	_, err := fmt.Fprintln(inv.Stdout, strings.TrimSpace(sum.String()))
	return err
}
