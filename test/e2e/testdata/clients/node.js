// Clients that run in Node. Reads the plan from standard input.

import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createConnectTransport as createFetchConnect, createGrpcWebTransport as createFetchGrpcWeb } from "@connectrpc/connect-web";
import { text } from "node:stream/consumers";
import { connectClient } from "./connect.js";
import { follow } from "./report.js";
import { restClient } from "./rest.js";

const plan = JSON.parse(await text(process.stdin));
const baseUrl = plan.url;
const http1 = { baseUrl, httpVersion: "1.1" };
const http2 = { baseUrl, httpVersion: "2" };

for (const client of [
  connectClient("connect-node gRPC", createGrpcTransport({ baseUrl })),
  connectClient("connect-node gRPC-Web, HTTP/1.1", createGrpcWebTransport(http1)),
  connectClient("connect-node gRPC-Web, HTTP/2", createGrpcWebTransport(http2)),
  connectClient("connect-node Connect JSON, HTTP/1.1", createConnectTransport({ ...http1, useBinaryFormat: false })),
  connectClient("connect-node Connect, HTTP/2", createConnectTransport({ ...http2, useBinaryFormat: true })),
  connectClient("connect-web Connect", createFetchConnect({ baseUrl })),
  connectClient("connect-web gRPC-Web", createFetchGrpcWeb({ baseUrl })),
  restClient("fetch", baseUrl),
]) {
  await follow(client, plan, (line) => console.log(JSON.stringify(line)));
}
process.exit(0); // connections that are kept alive would keep the process, too
