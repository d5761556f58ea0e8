package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"example.org/avatard/internal/client"
	"example.org/avatard/internal/ids"
)

// serverFlags say which server a command calls.
type serverFlags struct {
	URL       string `name:"url" placeholder:"URL" help:"address of the server; without it that of the variable AVATARD_URL"`
	AllowHTTP bool   `name:"allow-http" help:"call a server on another machine without TLS; whoever is on the way can read the token"`
}

// tokenFlags say who calls. No flag takes a token: command lines are everybody's to read.
type tokenFlags struct {
	TokenFile    string `placeholder:"FILE" help:"file whose first line is the access token"`
	TokenCommand string `placeholder:"COMMAND" help:"command of the shell whose first line of output is the access token"`
}

// callFlags are those of every command that calls a server.
type callFlags struct {
	Org string `placeholder:"ORG" help:"organisation to act in; without it that of the token"`
	serverFlags
	tokenFlags
	Timeout string `default:"1m" placeholder:"TIME" help:"how long the call may take, with all tries while the server is busy"`
	JSON    bool   `name:"json" help:"print the result as JSON"`
}

// The variables that these commands read.
const (
	urlVariable   = "AVATARD_URL"
	tokenVariable = "AVATARD_TOKEN"
)

// variableOf returns the last value of a variable, "" when it is not set.
func (p *Program) variableOf(name string) string {
	for _, kv := range slices.Backward(p.Environ) {
		if key, value, _ := strings.Cut(kv, "="); key == name {
			return value
		}
	}
	return ""
}

// address returns the server's.
func (flags *serverFlags) address(inv *Program) (string, error) {
	text, where := flags.URL, "--url"
	if text == "" {
		text, where = inv.variableOf(urlVariable), urlVariable
	}
	if text == "" {
		return "", usagef("which server? name it with --url or with the variable %s", urlVariable)
	}
	address, err := client.Address(text, flags.AllowHTTP)
	if err != nil {
		return "", usagef("%s %v", where, err)
	}
	return address, nil
}

// tokens returns where tokens come from that were named; nil when none were.
func (flags *tokenFlags) tokens(inv *Program) (client.Tokens, error) {
	switch token := inv.variableOf(tokenVariable); {
	case flags.TokenFile != "" && flags.TokenCommand != "":
		return nil, usagef("--token-file and --token-command are two places for one token")
	case flags.TokenFile != "":
		return client.TokenFile(flags.TokenFile), nil
	case flags.TokenCommand != "":
		return client.TokenCommand(flags.TokenCommand, inv.Environ, inv.Stderr), nil
	case token != "":
		if err := client.CheckToken(token); err != nil {
			return nil, usagef("%s: %v", tokenVariable, err)
		}
		return client.FixedToken(token), nil
	}
	return nil, nil
}

// noTokens stands for a caller who has none and needs one.
type noTokens struct{ url string }

func (n noTokens) Token(context.Context, string) (string, error) {
	return "", fmt.Errorf("%w: no token for %s; avatard login signs in, or use --token-file, --token-command or the variable %s",
		client.ErrNotPermitted, n.url, tokenVariable)
}

// longestTimeout bounds --timeout.
const longestTimeout = time.Hour

func parseTimeout(text string) (time.Duration, error) {
	limit, err := time.ParseDuration(text)
	if err != nil || limit <= 0 || limit > longestTimeout {
		return 0, usagef("--timeout %q: expected a time such as 30s, up to %v", text, longestTimeout)
	}
	return limit, nil
}

// call returns a client of the server, to be closed, and whose picture is meant.
func (flags *callFlags) call(inv *Program, user string, mayBeAnybody bool) (*client.Client, client.Target, error) {
	target, err := flags.target(user)
	if err != nil {
		return nil, target, err
	}
	caller, err := flags.caller(inv, mayBeAnybody)
	return caller, target, err
}

// caller returns a client of the server. Where it need not have a token, it may have none.
func (flags *callFlags) caller(inv *Program, mayBeAnybody bool) (*client.Client, error) {
	limit, err := parseTimeout(flags.Timeout)
	if err != nil {
		return nil, err
	}
	address, err := flags.address(inv)
	if err != nil {
		return nil, err
	}
	tokens, err := flags.tokens(inv)
	if err == nil && tokens == nil {
		tokens, err = inv.loggedIn(address)
	}
	if err != nil {
		return nil, err
	}
	if tokens == nil && !mayBeAnybody {
		tokens = noTokens{address}
	}
	return client.New(client.Config{URL: address, Tokens: tokens, UserAgent: "avatard/" + version(), Timeout: limit}), nil
}

// target returns whose picture is meant.
func (flags *callFlags) target(user string) (client.Target, error) {
	if !ids.Valid(user) {
		return client.Target{}, usagef("%q is no user id; expected 1 to 200 characters without control characters, or me", user)
	}
	if flags.Org != "" && !ids.Valid(flags.Org) {
		return client.Target{}, usagef("%q is no organisation id; expected 1 to 200 characters without control characters", flags.Org)
	}
	return client.Target{User: user, Organization: flags.Org}, nil
}

// fact is one line of a result.
type fact struct{ name, value string }

// changed is the result of a change.
type changed struct {
	User   string `json:"user"`
	Result string `json:"result"`
	client.Details
}

// write prints a result: for programs as JSON, on a terminal as a sentence with facts below it, else as lines of a name and a value.
func (c changed) write(w io.Writer, asJSON bool, sentence string) error {
	if asJSON {
		return json.NewEncoder(w).Encode(c)
	}
	return printFacts(w, sentence, []fact{
		{"user", c.User}, {"result", c.Result}, {"organisation", c.Organization}, {"sequence", c.Sequence},
		{"changed", c.ChangeDate}, {"receipt", c.Receipt}, {"notice", c.Notice}})
}

func printFacts(w io.Writer, sentence string, facts []fact) error {
	return writeFacts(w, isTerminal(w), sentence, facts)
}

// writeFacts leaves out facts that are not known.
func writeFacts(w io.Writer, forPeople bool, sentence string, facts []fact) error {
	var b strings.Builder
	if forPeople {
		b.WriteString(sentence + "\n")
	}
	for _, f := range facts {
		switch {
		case f.value == "":
		case forPeople:
			fmt.Fprintf(&b, "  %-13s %s\n", f.name, f.value)
		default:
			fmt.Fprintf(&b, "%s: %s\n", f.name, f.value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// pictureOf names a user's picture in a sentence.
func pictureOf(user string) string {
	if user == client.Me {
		return "Your picture"
	}
	return "The picture of " + user
}

// readPictureFile reads a picture that is to be uploaded, at most limit bytes of it.
func readPictureFile(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > limit:
		return nil, fmt.Errorf("%w: larger than %d bytes, which no server of avatard takes", client.ErrRefused, limit)
	case len(data) == 0:
		return nil, fmt.Errorf("%w: it is empty", client.ErrRefused)
	}
	return data, nil
}

// openRegular opens a file of bytes. Devices and pipes are refused before they are read: that could take for ever.
func openRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no file of bytes; - reads standard input", client.ErrRefused, name)
	}
	return os.Open(name)
}
