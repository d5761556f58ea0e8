"""Uploads far too much with Python's http.client, which reads nothing before it has sent all, and prints what is answered.

Arguments: host:port, path, token, bytes.
"""

import http.client
import sys

address, path, token, size = sys.argv[1:]
connection = http.client.HTTPConnection(address, timeout=30)
headers = {"Content-Type": "multipart/form-data; boundary=x"}
if token:
    headers["Authorization"] = "Bearer " + token
connection.request("POST", path, body=bytes(int(size)), headers=headers)
answer = connection.getresponse()
print(answer.status, answer.read().decode())
