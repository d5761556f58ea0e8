package cli

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"example.org/avatard/internal/admin"
)

// auditPrinter prints records of the trail in one of the formats. Errors of writing come with the flush at the latest.
type auditPrinter struct {
	begin  func(*bufio.Writer)
	record func(io.Writer, admin.AuditRecord) error
}

// printer returns the printer of the format that is asked for.
func (flags *auditCommand) printer(toTerminal bool) (auditPrinter, error) {
	nothing := func(*bufio.Writer) {}
	switch {
	case flags.JSON && flags.Format != "" && flags.Format != "json":
		return auditPrinter{}, usagef("--json and --format %s are two formats", flags.Format)
	case flags.JSON, flags.Format == "json":
		return auditPrinter{nothing, func(w io.Writer, r admin.AuditRecord) error { return writeJSON(w, r) }}, nil
	case flags.Format == "csv":
		row := func(w io.Writer, cells []string) error {
			_, err := io.WriteString(w, csvRow(cells, toTerminal))
			return err
		}
		return auditPrinter{func(w *bufio.Writer) { _ = row(w, auditColumns) }, func(w io.Writer, r admin.AuditRecord) error { return row(w, auditCells(r)) }}, nil
	case flags.Format == "", flags.Format == "text":
		return auditPrinter{nothing, func(w io.Writer, r admin.AuditRecord) error {
			_, err := fmt.Fprintln(w, auditLine(r))
			return err
		}}, nil
	}
	return auditPrinter{}, usagef("--format %q: expected text, json or csv", flags.Format)
}

// auditLine is a record for people.
func auditLine(r admin.AuditRecord) string {
	var b strings.Builder
	b.WriteString(showTime(r.Time) + "  ")
	if r.Kind == admin.KindRefusal {
		b.WriteString("refused  ")
	}
	b.WriteString(word(r.Action))
	for _, f := range [...]fact{{"by", r.Caller}, {"of organisation", r.CallerOrganization}, {"user", r.User}, {"organisation", r.Organization},
		{"issuer", r.Issuer}, {"code", r.Refused}, {"request", r.Request}} {
		if f.value != "" {
			b.WriteString("  " + f.name + " " + word(f.value))
		}
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "  and %d more", r.More)
	}
	return b.String()
}

// auditColumns are the header of the CSV, in the order of auditCells. Programs read it, so it only gets longer. Nothing changes it.
var auditColumns = []string{"time", "kind", "action", "caller", "caller_organisation", "user", "organisation", "issuer", "refused", "request", "more"}

func auditCells(r admin.AuditRecord) []string {
	more := ""
	if r.Kind == admin.KindRefusal {
		more = strconv.FormatInt(r.More, 10)
	}
	return []string{showTime(r.Time), r.Kind, r.Action, r.Caller, r.CallerOrganization, r.User, r.Organization, r.Issuer, r.Refused, r.Request, more}
}

// csvRow is a row of RFC 4180, each cell in quotes.
func csvRow(cells []string, toTerminal bool) string {
	quoted := make([]string, len(cells))
	for i, cell := range cells {
		cell = noFormula(cell)
		if toTerminal {
			cell = printable(cell)
		}
		quoted[i] = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
	}
	return strings.Join(quoted, ",") + "\r\n"
}

// noFormula puts an apostrophe before a text that a spreadsheet could take for a formula. Callers choose what is in the trail, and somebody
// else opens it.
func noFormula(text string) string {
	for _, begin := range [...]string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"} { // the last ones in programs for East Asian languages
		if strings.HasPrefix(text, begin) {
			return "'" + text
		}
	}
	return text
}
