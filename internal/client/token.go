package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Tokens is where access tokens come from. It may be called concurrently.
type Tokens interface {
	// Token returns a token. rejected is one that a server does not take; "" = none was tried. An answer of the same token again means
	// that there is no other one. No error holds a token.
	Token(ctx context.Context, rejected string) (string, error)
}

// maxToken bounds a token: header fields may be as long in all.
const maxToken = 64 << 10

// CheckToken returns an error when a text cannot be an access token (RFC 6750 section 2.1). The error does not repeat it.
func CheckToken(text string) error {
	switch {
	case text == "":
		return errors.New("there is no token in it")
	case len(text) > maxToken:
		return errors.New("what is in it is too long for a token")
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("what is in it is no token; expected one line without spaces")
	}
	return nil
}

// FixedToken is one token that was handed in.
type FixedToken string

// Token implements Tokens.
func (t FixedToken) Token(context.Context, string) (string, error) { return string(t), nil }

// readTokens asks for a token when there is none yet or the last one was rejected.
type readTokens struct {
	read func(ctx context.Context) (string, error)

	mu   sync.Mutex
	last string
}

// Token implements Tokens.
func (t *readTokens) Token(ctx context.Context, rejected string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != "" && t.last != rejected {
		return t.last, nil
	}
	token, err := t.read(ctx)
	if err == nil {
		t.last = token
	}
	return token, err
}

// TokenFile reads the token from the first line of a file, again when a server does not take it any more.
func TokenFile(name string) Tokens {
	return &readTokens{read: func(context.Context) (string, error) {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		defer f.Close()
		token, err := firstLine(f)
		if err != nil {
			return "", fmt.Errorf("token: %s: %w", name, err)
		}
		return token, nil
	}}
}

// TokenCommand takes the token from the first line that a command of the shell prints, again when a server does not take it any more.
// What the command complains about goes to stderr.
func TokenCommand(command string, environ []string, stderr io.Writer) Tokens {
	return &readTokens{read: func(ctx context.Context) (string, error) {
		shell := []string{"sh", "-c", command}
		if runtime.GOOS == "windows" {
			shell = []string{"cmd", "/c", command}
		}
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, shell[0], shell[1:]...) //nolint:gosec // the command that the user gave, run as the user
		cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = environ, &boundedWriter{&out, 2 * maxToken}, stderr, time.Second
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				err = errors.New("it did not end in time")
			}
			return "", fmt.Errorf("the command for the token: %w", err)
		}
		token, err := firstLine(&out)
		if err != nil {
			return "", fmt.Errorf("the output of the command for the token: %w", err)
		}
		return token, nil
	}}
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxToken+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	return line, CheckToken(line)
}

// boundedWriter takes no more than room bytes and throws the rest away.
type boundedWriter struct {
	w    *bytes.Buffer
	room int
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	n := min(len(p), b.room)
	b.room -= n
	b.w.Write(p[:n])
	return len(p), nil
}
