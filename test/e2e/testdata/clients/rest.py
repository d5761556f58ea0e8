"""Removes avatars over REST with nothing but Python's standard library.

Reads the plan from standard input and writes one line of JSON for each call, as the programs beside it do.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

CLIENT = "Python"

# No proxy: the server is on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def remove(url, call, user):
    path = "/management/v1/users/" + urllib.parse.quote(user, safe="") + "/avatar"
    request = urllib.request.Request(url + path, method="DELETE")
    if call["token"]:
        request.add_header("Authorization", "Bearer " + call["token"])
    if call["organization"]:
        request.add_header("x-zitadel-orgid", call["organization"])
    try:
        with OPENER.open(request, timeout=20) as answer:
            return {"details": json.load(answer)["details"], "receipt": answer.headers["X-Avatard-Receipt"]}
    except urllib.error.HTTPError as err:
        with err:
            body = json.load(err)
        details = [dict(detail, type=detail.pop("@type").rpartition("/")[2]) for detail in body.get("details", [])]
        return {"refused": {
            "code": body["code"],
            "message": body["message"],
            "details": details,
            "challenge": err.headers["WWW-Authenticate"] or "",
        }}


def main():
    plan = json.load(sys.stdin)
    for call in plan["calls"]:
        line = remove(plan["url"], call, call["user"] or plan["users"][CLIENT])
        print(json.dumps({"client": CLIENT, "step": call["step"], **line}))


if __name__ == "__main__":
    main()
