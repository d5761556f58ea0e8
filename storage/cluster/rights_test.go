package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.org/avatard/storage"
)

// A start with rights missing, of which the S3 server judges, is refused with a sentence that names the right, and leaves nothing behind that it
// may erase.
func TestRightsThatAreMissing(t *testing.T) {
	const account, secret = "clerk", "clerk-secret-key"
	if err := servers.AddAccount(t.Context(), account, secret); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		denied  string // actions, as in a policy
		refused string // part of the sentence, "" = the start is not refused
		left    int
	}{
		"none":            {"", "", 0},
		"list versions":   {`"s3:ListBucketVersions"`, "may not list the versions", 0},
		"delete versions": {`"s3:DeleteObjectVersion"`, "may not delete a version", 1},
		"write":           {`"s3:PutObject"`, "may not store an object", 0},
		"read":            {`"s3:GetObject", "s3:GetObjectVersion"`, "may not read an object", 0},
		"anything":        {`"s3:*"`, "may not ask for the bucket's versions", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, true)
			o.Bucket.AccessKey, o.Bucket.SecretKey = account, secret
			statement := func(effect, actions string) string {
				return fmt.Sprintf(`{"Effect":%q,"Principal":{"AWS":[%q]},"Action":[%s],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%[4]s/*"]}`, effect, account, actions, o.Bucket.Bucket)
			}
			statements := statement("Allow", `"s3:*"`)
			if c.denied != "" {
				statements += "," + statement("Deny", c.denied)
			}
			if err := servers.Client.SetBucketPolicy(t.Context(), o.Bucket.Bucket, `{"Version":"2012-10-17","Statement":[`+statements+`]}`); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), o, storage.OpenOptions{})
			switch {
			case err == nil:
				u := addUser(t, s, "u")
				put(t, s, u)
				remove(t, s, u)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			case c.refused != "" && !errors.Is(err, ErrUnsuitable):
				t.Errorf("Open = %v, want %v", err, ErrUnsuitable)
			}
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("Open = %v, want an error that says %q", err, c.refused)
			}
			if left := listed(t, o); len(left) != c.left {
				t.Errorf("listed afterwards: %v, want %d", left, c.left)
			}
		})
	}
}
