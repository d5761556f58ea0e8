package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// devLines is what a newcomer pastes. Names in ${} are variables of the environment file; when there is no such
// file their values are printed in their place.
const devLines = `
  # Alice has a picture. Look at it, delete it, look again:
  curl -s -o /dev/null -w '%{http_code}\n' "${AVATARD_URL}/assets/v1/${ORG_ACME}/users/${USER_ALICE}/avatar"
  curl -X DELETE -H "Authorization: Bearer ${TOKEN_ADMIN}" "${AVATARD_URL}/management/v1/users/${USER_ALICE}/avatar"
  curl -s -o /dev/null -w '%{http_code}\n' "${AVATARD_URL}/assets/v1/${ORG_ACME}/users/${USER_ALICE}/avatar"

  # The same with gRPC, for Carol of another organisation:
  grpcurl -plaintext -H "Authorization: Bearer ${TOKEN_ADMIN}" -H "x-zitadel-orgid: ${ORG_GLOBEX}" \
    -d "{\"userId\":\"${USER_CAROL}\"}" ADDRESS zitadel.management.v1.ManagementService/RemoveHumanAvatar

`

// printDevReady tells that the server answers and how to talk to it.
func printDevReady(w io.Writer, url, envFile string, vars []variable) error {
	lines := strings.ReplaceAll(devLines, "ADDRESS", strings.TrimPrefix(url, "http://"))
	if envFile == "" {
		values := map[string]string{}
		for _, v := range vars {
			values["${"+v.name+"}"] = v.value
		}
		for name, value := range values {
			lines = strings.ReplaceAll(lines, name, value)
		}
	} else {
		lines = "\n  . " + shellPath(envFile) + "   # addresses, ids and tokens, for the lines below\n" + lines
	}
	_, err := fmt.Fprintf(w, "avatard dev is ready: %s\n%s", url, lines)
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
