package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
)

const (
	driver     = "test/e2e/testdata/clients/steps.js"
	resultLine = "#result"
)

// visit is what a person does with a page, in a browser that has not seen it yet.
type visit struct {
	Steps [][]string `json:"steps"`
	told  []string   // what the page has to tell, or a piece of it, for each step "tell"
}

// visited is what a visit was like.
type visited struct {
	Told       []string `json:"told"`
	Stored     int      `json:"stored"` // entries that the page has left in the browser
	Complaints []string `json:"complaints"`
}

// browse makes visits one after the other. Of what the console says it lets answers without success through, as Chromium notes each of
// them by itself.
func (d *dev) browse(ctx context.Context, visits ...visit) error {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return err
	}
	plan, err := json.Marshal(map[string]any{"executable": chromium, "visits": visits})
	if err != nil {
		return err
	}
	output, code, err := d.run(ctx, ".", string(plan), nil, "node", driver)
	if err != nil || code != 0 {
		return fmt.Errorf("the browser: %w:\n%s", failure(code, err), output)
	}
	var all []visited
	if err := json.Unmarshal([]byte(output), &all); err != nil {
		return fmt.Errorf("the browser: %w: %s", err, output)
	}
	if len(all) != len(visits) {
		return fmt.Errorf("the browser tells of %d visits, want %d", len(all), len(visits))
	}
	for i, want := range visits {
		v := all[i]
		v.Complaints = slices.DeleteFunc(v.Complaints, func(text string) bool {
			return strings.HasPrefix(text, "Failed to load resource: the server responded with a status of 40")
		})
		fits := slices.EqualFunc(v.Told, want.told, strings.Contains)
		if !fits || v.Stored != 0 || len(v.Complaints) > 0 {
			return fmt.Errorf("visit %d: the page told %q, want %q; it left %d entries and complained %q", i, v.Told, want.told, v.Stored, v.Complaints)
		}
	}
	return nil
}

// connectWeb builds the page, serves it by Vite, and signs in as Alice and as Erin.
func connectWeb(ctx context.Context, d *dev) error {
	const folder = "examples/connect-web"
	if err := d.try(ctx, folder, "", nil, 0, nil, "npm", "run", "-s", "build"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "node", "node_modules/vite/bin/vite.js", "preview", "--port", "0")
	cmd.Dir = folder
	cmd.Env = append(cmd.Environ(), "NO_COLOR=1") // in CI it colours what it prints, terminal or not
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return err
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	page := ""
	for lines := bufio.NewScanner(out); page == "" && lines.Scan(); {
		if at := strings.Index(lines.Text(), "http://127.0.0.1:"); at >= 0 {
			page = strings.TrimSpace(lines.Text()[at:])
		}
	}
	if page == "" {
		return errors.New("vite preview names no address")
	}
	signIn := func(user string) [][]string {
		return [][]string{{"go", page}, {"click", "#sign-in"}, {"click", fmt.Sprintf("button[value=%q]", d.of(user))}}
	}
	remove := func(user string) [][]string {
		return [][]string{{"fill", "#theirs input", user}, {"click", "#theirs button"}, {"tell", resultLine}}
	}
	own := [][]string{{"click", "#mine"}, {"tell", resultLine}}
	return errors.Join(d.give(ctx),
		d.browse(ctx,
			visit{slices.Concat(signIn("USER_ALICE"), remove(d.of("USER_BOB")), own), []string{"NotFound: ", "Gone. Change "}},
			visit{slices.Concat(signIn("USER_ERIN"), remove("nobody-here"), remove(d.of("USER_CAROL")), remove(d.of("USER_BOB"))),
				[]string{"[USER-35N8f]", "[USER-35N8f]", "in organisation " + d.of("ORG_ACME")}},
			visit{[][]string{{"go", strings.TrimSuffix(page, "/") + "/callback?code=x&state=y"}, {"tell", resultLine}}, []string{"not begun here"}},
		),
		d.wantGone(ctx, "USER_ALICE", "USER_BOB"),
	)
}

// grpcWeb builds the page and deletes with tokens that are pasted.
func grpcWeb(ctx context.Context, d *dev) error {
	const folder = "examples/grpc-web"
	if err := d.try(ctx, folder, "", nil, 0, nil, "npm", "run", "-s", "build"); err != nil {
		return err
	}
	site := httptest.NewServer(http.FileServer(http.Dir(folder + "/public")))
	defer site.Close()
	remove := func(token string) [][]string {
		return [][]string{{"fill", "[name=token]", d.of(token)}, {"click", "button"}, {"tell", resultLine}}
	}
	begin := [][]string{{"go", site.URL}, {"fill", "[name=url]", d.of("AVATARD_URL")}, {"fill", "[name=user]", d.of("USER_BOB")}}
	return errors.Join(d.give(ctx),
		d.browse(ctx, visit{slices.Concat(begin, remove("TOKEN_VIEWER"), remove("TOKEN_EXPIRED"), remove("TOKEN_MANAGER")),
			[]string{"[AUTH-5mWD2]", "16: ", "in organisation " + d.of("ORG_ACME")}}),
		d.wantGone(ctx, "USER_BOB"),
	)
}
