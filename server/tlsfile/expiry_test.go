package tlsfile

import (
	"strings"
	"testing"
	"time"
)

// Once a day the log has a line about a certificate that expires soon or has expired, until it is renewed.
func TestCertificateExpiryIsTold(t *testing.T) {
	w, _ := newWatched(t)
	end := w.Expiry()
	if leaf := w.current.Load().Leaf; !end.Equal(leaf.NotAfter) {
		t.Errorf("it expires %v, want %v", end, leaf.NotAfter)
	}
	near := min(expiryNear, end.Sub(w.current.Load().Leaf.NotBefore)/6)
	for _, step := range []struct {
		at   time.Time
		want string
	}{
		{end.Add(-near - time.Second), ""},
		{end.Add(-near), "level=WARN msg=\"the certificate expires soon\""},
		{end.Add(-near + time.Minute), ""},
		{end.Add(-near + expiryInterval + time.Minute), "the certificate expires soon"},
		{end.Add(2 * expiryInterval), "level=ERROR msg=\"the certificate has expired\""},
		{end.Add(2*expiryInterval + time.Minute), ""},
	} {
		if w.at = step.at; step.want == "the certificate expires soon" && !w.at.Before(end) {
			continue // it lives for less than a day
		}
		w.log.Reset()
		if _, err := w.Get(nil); err != nil {
			t.Fatal(err)
		}
		if got := w.log.String(); !strings.Contains(got, step.want) || step.want == "" && got != "" {
			t.Errorf("%v before the end the log says %q, want %q", end.Sub(w.at), got, step.want)
		}
	}
	w.at = time.Now()
	w.log.Reset()
	w.Renew()
	w.Reload()
	if got := w.log.String(); strings.Contains(got, "expire") {
		t.Errorf("after a renewal the log says %q", got)
	}
	w.at = end.Add(time.Hour)
	w.log.Reset()
	c, err := Open(w.config())
	if err != nil || !strings.Contains(w.log.String(), "has expired") {
		t.Errorf("a start with it: %v, %v, the log says %q", c, err, &w.log)
	}
}
