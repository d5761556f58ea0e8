// Uploads far too much with what Node has, and prints what is answered. Arguments: URL, path, token, bytes, and "http" or "http2".

import http from "node:http";
import http2 from "node:http2";

const [url, path, token, size, kind] = process.argv.slice(2);
const headers = { "content-type": "multipart/form-data; boundary=x", "content-length": size };
if (token) headers.authorization = `Bearer ${token}`;
const body = Buffer.alloc(Number(size));

function overHTTP() {
  return new Promise((resolve, reject) => {
    const request = http.request(url + path, { method: "POST", headers }, async (answer) => {
      let text = "";
      for await (const piece of answer) text += piece;
      resolve(`${answer.statusCode} ${text}`);
    });
    request.on("error", reject);
    request.end(body);
  });
}

function overHTTP2() {
  return new Promise((resolve, reject) => {
    const session = http2.connect(url);
    session.on("error", reject);
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    let status, text = "";
    stream.on("response", (got) => (status = got[":status"]));
    stream.setEncoding("utf8");
    stream.on("data", (piece) => (text += piece));
    stream.on("error", reject);
    stream.on("end", () => {
      resolve(`${status} ${text}`);
      session.destroy();
    });
    stream.end(body);
  });
}

console.log(await (kind === "http2" ? overHTTP2() : overHTTP()));
process.exit(0);
