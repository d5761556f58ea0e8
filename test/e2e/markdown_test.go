package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fence is a fenced block of a page (CommonMark section 4.5, with three backticks).
type fence struct {
	kind string // the word after the opening backticks
	text string
	from int // line of its first backticks, counted from 1
	to   int // line of its last ones
}

// readPage returns the fenced blocks of a page and the text around them.
func readPage(t *testing.T, file string) (fences []fence, prose string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var around strings.Builder
	var open *fence
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		kind, isMark := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case open == nil && isMark:
			open = &fence{kind: kind, from: number}
		case open == nil:
			around.WriteString(line)
		case isMark:
			open.to = number
			fences = append(fences, *open)
			open = nil
		default:
			open.text += line
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block has no end", file, open.from)
	}
	return fences, around.String()
}

// fencesOf returns the blocks of one kind.
func fencesOf(t *testing.T, file, kind string) []fence {
	t.Helper()
	all, _ := readPage(t, file)
	var some []fence
	for _, f := range all {
		if f.kind == kind {
			some = append(some, f)
		}
	}
	return some
}

// anchor is the name that a page's viewer gives to a heading: lower case, no punctuation, hyphens for spaces.
func anchor(heading string) string {
	heading = strings.ToLower(strings.TrimSpace(heading))
	heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(heading, " ", "-")
}

// Every link within the repository leads somewhere, headings included.
func TestLinksOfThePages(t *testing.T) {
	pages := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "docs/providers/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		pages = append(pages, found...)
	}
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	count := 0
	for _, page := range pages {
		_, prose := readPage(t, page)
		for _, found := range link.FindAllStringSubmatch(prose, -1) {
			to, err := url.Parse(found[1])
			if err != nil {
				t.Errorf("%s: link %s: %v", page, found[1], err)
				continue
			}
			if to.Scheme != "" {
				continue // elsewhere
			}
			count++
			file := page
			if to.Path != "" {
				file = filepath.Join(filepath.Dir(page), filepath.FromSlash(to.Path))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link %s leads nowhere: %v", page, found[1], err)
				continue
			}
			if to.Fragment == "" {
				continue
			}
			_, target := readPage(t, file)
			known := false
			for _, title := range heading.FindAllStringSubmatch(target, -1) {
				known = known || anchor(title[1]) == to.Fragment
			}
			if !known {
				t.Errorf("%s: link %s: %s has no such heading", page, found[1], file)
			}
		}
	}
	if count < 10 {
		t.Errorf("looked at %d links, want 10 or more", count)
	}
}
