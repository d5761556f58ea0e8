package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"example.org/avatard/authz/devidp"
	"example.org/avatard/storage"
)

// devLines are commands for a newcomer to paste. Names in ${} are variables of the environment file; when there is no such
// file their values are printed in their place.
const devLines = `
  # ALICE_STATE
  curl -s -o /dev/null -w '%{http_code}\n' "${AVATARD_URL}/assets/v1/${ORG_ACME}/users/${USER_ALICE}/avatar"
  curl -X DELETE -H "Authorization: Bearer ${TOKEN_ADMIN}" "${AVATARD_URL}/management/v1/users/${USER_ALICE}/avatar"
  curl -s -o /dev/null -w '%{http_code}\n' "${AVATARD_URL}/assets/v1/${ORG_ACME}/users/${USER_ALICE}/avatar"

  # The same with gRPC, for CAROL_STATE:
  grpcurl -plaintext -H "Authorization: Bearer ${TOKEN_ADMIN}" -H "x-zitadel-orgid: ${ORG_GLOBEX}" \
    -d "{\"userId\":\"${USER_CAROL}\"}" "${GRPC_ADDRESS}" zitadel.management.v1.ManagementService/RemoveHumanAvatar

`

// printReady tells that the server answers and how to talk to it. Pictures may be gone since an earlier start on the same data.
func (r *devRun) printReady(ctx context.Context, vars []variable) error {
	has := func(user, org string) bool {
		info, err := r.store.Stat(ctx, storage.UserKey{Issuer: r.issuer, ID: user}, org)
		return err == nil && info.Generation != ""
	}
	alice, carol := "Alice has a picture. Look at it, delete it, look again:", "Carol of another organisation"
	if !has(devidp.UserAlice, devidp.OrgAcme) {
		alice = "Alice's picture is deleted since an earlier start, so these answer 404, 200, 404. Other data: --data, or none for new ones."
	}
	if !has(devidp.UserCarol, devidp.OrgGlobex) {
		carol += ", whose picture is deleted, too"
	}
	lines := strings.NewReplacer("ALICE_STATE", alice, "CAROL_STATE", carol).Replace(devLines)
	if r.flags.EnvFile == "" {
		values := map[string]string{}
		for _, v := range vars {
			values["${"+v.name+"}"] = v.value
		}
		for name, value := range values {
			lines = strings.ReplaceAll(lines, name, value)
		}
	} else {
		lines = "\n  . " + shellPath(r.flags.EnvFile) + "   # addresses, ids and tokens, for the lines below\n" + lines
	}
	_, err := fmt.Fprintf(r.Stdout, "avatard dev is ready: %s\n%s", r.url, lines)
	return err
}

// printDevCluster tells how other commands come to the data of a cluster.
func printDevCluster(w io.Writer, dir string) error {
	file, err := filepath.Abs(devClusterFile(dir))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "  # The data is in PostgreSQL and a bucket. Every command finds it, beside this server:\n  avatard fsck --config %s\n\n", shellPath(file))
	return err
}

// shellPath writes a path so that the shell's "." takes it as one word and does not look for it in PATH.
func shellPath(path string) string {
	if !strings.ContainsRune(path, os.PathSeparator) {
		path = "." + string(filepath.Separator) + path
	}
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
