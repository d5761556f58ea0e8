package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// token returns the variable by which scripts get a token of dev.
func (d *dev) token(name string) map[string]string { return map[string]string{"TOKEN": d.of(name)} }

// numbers of changes, which depend on what went before.
var change = regexp.MustCompile(`\b\d\b`)

// asWritten gives Alice and Bob a picture, types what the README of a folder says first, in the repository's root, and compares the end of
// the output with the block below it.
func (d *dev) asWritten(ctx context.Context, folder string, more map[string]string) error {
	text, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		return err
	}
	blocks := strings.Split(string(text), "```\n")
	if len(blocks) < 5 {
		return fmt.Errorf("%s/README.md has no command with an answer", folder)
	}
	if err := d.give(ctx); err != nil {
		return err
	}
	output, code, err := d.run(ctx, ".", "", more, "sh", "-ec", blocks[1])
	if err != nil || code != 0 {
		return fmt.Errorf("the command of %s/README.md: %w:\n%s", folder, failure(code, err), output)
	}
	want := change.ReplaceAllString(regexp.QuoteMeta(blocks[3]), `\d+`)
	if !regexp.MustCompile(strings.ReplaceAll(want, "…", ".+") + `\z`).MatchString(output) {
		return fmt.Errorf("the command of %s/README.md answers\n%swant\n%s", folder, output, blocks[3])
	}
	return nil
}

// shell deletes by curl and by grpcurl, and is refused by both.
func shell(ctx context.Context, d *dev) error {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	path := map[string]string{"PATH": bin + ":/usr/local/bin:/usr/bin:/bin", "TOKEN": d.of("TOKEN_MANAGER")}
	refused := map[string]string{"PATH": path["PATH"], "TOKEN": d.of("TOKEN_VIEWER")}
	abroad := map[string]string{"PATH": path["PATH"], "TOKEN": d.of("TOKEN_ADMIN"), "ORG": d.of("ORG_GLOBEX")}
	alice, script := d.of("USER_ALICE"), "./delete.sh"
	const folder = "examples/shell"
	return errors.Join(d.asWritten(ctx, folder, map[string]string{"PATH": path["PATH"]}), d.wantGone(ctx, "USER_ALICE"),
		d.give(ctx),
		d.try(ctx, folder, "", path, 0, []string{`"resourceOwner":"` + d.of("ORG_ACME")}, script, "rest", alice),
		d.wantGone(ctx, "USER_ALICE"),
		d.try(ctx, folder, "", path, 0, []string{`"resourceOwner": "` + d.of("ORG_ACME")}, script, "grpc", d.of("USER_BOB")),
		d.wantGone(ctx, "USER_ALICE", "USER_BOB"),
		d.try(ctx, folder, "", refused, 22, []string{"AUTH-5mWD2"}, script, "rest", alice),
		d.try(ctx, folder, "", refused, 64+7, []string{"AUTH-5mWD2"}, script, "grpc", alice),
		d.try(ctx, folder, "", abroad, 0, []string{d.of("ORG_GLOBEX")}, script, "rest", d.of("USER_CAROL")),
		d.try(ctx, folder, "", abroad, 0, []string{d.of("ORG_GLOBEX")}, script, "grpc", d.of("USER_CAROL")),
		d.try(ctx, folder, "", path, 2, []string{"needs quoting"}, script, "rest", `a"b`),
	)
}

// python puts, gets and deletes one's own picture and that of somebody else.
func python(ctx context.Context, d *dev) error {
	picture, copied := filepath.Join(d.dir, "me.png"), filepath.Join(d.dir, "copy.png")
	if err := os.WriteFile(picture, d.picture, 0o600); err != nil {
		return err
	}
	alice, bob := d.of("USER_ALICE"), d.of("USER_BOB")
	run := func(token string, code int, word string, args ...string) error {
		with := d.token(token)
		with["ORG"] = d.of("ORG_ACME")
		return d.try(ctx, "examples/python", "", with, code, []string{word}, "python3", append([]string{"avatar.py"}, args...)...)
	}
	return errors.Join(d.asWritten(ctx, "examples/python", nil),
		d.wantGone(ctx, "USER_ALICE"),
		run("TOKEN_ALICE", 0, "stored: {", "put", picture),
		run("TOKEN_ALICE", 0, " bytes", "get", copied, alice),
		d.wantGone(ctx),
		run("TOKEN_MANAGER", 0, "stored: {", "put", picture, bob),
		run("TOKEN_MANAGER", 0, "gone: {", "delete", bob),
		d.wantGone(ctx, "USER_BOB"),
		run("TOKEN_VIEWER", 1, "403, code 7, ids ['AUTH-5mWD2']", "delete", bob),
		run("TOKEN_EXPIRED", 1, "401, code 16", "delete"),
		run("TOKEN_ALICE", 1, "404, code 5", "get", copied, bob),
		run("TOKEN_ALICE", 2, "avatar.py put FILE", "remove"),
	)
}

// goClient deletes by the module's own clients.
func goClient(ctx context.Context, d *dev) error {
	const folder = "examples/go"
	run := func(token string, code int, words ...string) error {
		return d.try(ctx, folder, "", d.token(token), code, words, "go", "run", ".", d.of("USER_ALICE"), "nobody-here")
	}
	return errors.Join(d.asWritten(ctx, folder, nil), d.wantGone(ctx, "USER_ALICE"),
		d.give(ctx),
		run("TOKEN_MANAGER", 1, d.of("USER_ALICE")+" gone, change ", d.of("ORG_ACME"), "nobody-here NOT GONE not_found [USER-35N8f]"),
		d.wantGone(ctx, "USER_ALICE"),
		run("TOKEN_VIEWER", 1, "NOT GONE permission_denied [AUTH-5mWD2]"),
	)
}
