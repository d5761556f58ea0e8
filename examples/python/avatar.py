#!/usr/bin/env python3
"""Puts, gets and deletes avatars with nothing but Python's standard library.

    avatar.py put FILE [USER]        one's own picture, or that of USER
    avatar.py get FILE USER          writes the picture of USER, who is in the organisation ORG
    avatar.py delete [USER]

AVATARD_URL, TOKEN and ORG are read from the environment. Exit code 1: the call failed; 2: wrong use.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ATTEMPTS = 6


class Refused(Exception):
    """An answer that is no success. Programs match on code and ids; the wording of messages may change."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            answer = json.loads(body)
            self.code: int = answer["code"]
            self.ids: list[str] = [detail["id"] for detail in answer.get("details", []) if "id" in detail]
            message: str = answer["message"]
        except (ValueError, KeyError, TypeError):  # of something in between
            self.code, self.ids, message = 2, [], "an answer that is not avatard's"
        super().__init__(f"{status}, code {self.code}, ids {self.ids}: {message}")


def call(method: str, path: str, body: bytes | None = None, content_type: str = "") -> bytes:
    """Sends a request until it is answered, and returns the body. Raises Refused and URLError."""
    request = urllib.request.Request(os.environ["AVATARD_URL"] + path, data=body, method=method)
    if token := os.environ.get("TOKEN"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")  # a token does not follow to other hosts
    if org := os.environ.get("ORG"):
        request.add_header("x-zitadel-orgid", org)
    if content_type:
        request.add_header("Content-Type", content_type)
    attempt = 0
    while True:
        attempt += 1
        try:
            with urllib.request.urlopen(request, timeout=35) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as err:
            # 503 and 504: not done yet. The same call again goes on where it stopped.
            if err.code not in (429, 503, 504) or attempt == ATTEMPTS:
                raise Refused(err.code, err.read()) from None
            asked = err.headers.get("Retry-After", "")
            time.sleep(min(int(asked), 60) if asked.isdigit() else 2 ** (attempt - 1))


def user_path(user: str | None, own: str) -> str:
    return f"/management/v1/users/{urllib.parse.quote(user, safe='')}/avatar" if user else own


def put(file: str, user: str | None = None) -> str:
    with open(file, "rb") as picture:
        content = picture.read()
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="avatar"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    answer = call("POST", user_path(user, "/assets/v1/users/me/avatar"), body, f"multipart/form-data; boundary={boundary}")
    return f"stored: {json.loads(answer)['details']}"


def get(file: str, user: str) -> str:
    org, user = (urllib.parse.quote(part, safe="") for part in (os.environ["ORG"], user))
    content = call("GET", f"/assets/v1/{org}/users/{user}/avatar")
    with open(file, "wb") as picture:
        picture.write(content)
    return f"{len(content)} bytes"


def delete(user: str | None = None) -> str:
    answer = call("DELETE", user_path(user, "/auth/v1/users/me/avatar"))
    return f"gone: {json.loads(answer)['details']}"


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["put", file, *user] if len(user) < 2:
                print(put(file, *user))
            case ["get", file, user]:
                print(get(file, user))
            case ["delete", *user] if len(user) < 2:
                print(delete(*user))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except KeyError as err:
        print(f"{err.args[0]} is not set", file=sys.stderr)
        return 2
    except (Refused, OSError) as err:  # URLError is an OSError
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
