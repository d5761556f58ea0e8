// Deletes the avatars of the users whose ids come on standard input, one a line, and tells what became of each.
// Exit code 0: all are gone. 1: some are not. 2: it could not begin.

import { createInterface } from "node:readline";
import { eraser } from "./erase.js";
import { tokenFromFile, tokenOfClient, type TokenSource } from "./token.js";

const { env } = process;

function need(name: string): string {
  const value = env[name];
  if (value) return value;
  console.error(`${name} is not set`);
  process.exit(2);
}

function tokenSource(): TokenSource {
  if (env.TOKEN_FILE) return tokenFromFile(env.TOKEN_FILE);
  return tokenOfClient({
    tokenEndpoint: need("TOKEN_ENDPOINT"),
    clientId: need("CLIENT_ID"),
    clientSecretFile: need("CLIENT_SECRET_FILE"),
    scope: need("SCOPE"),
  });
}

const erase = eraser({
  url: need("AVATARD_URL"),
  form: env.FORM === "connect" ? "connect" : "grpc",
  organization: env.ORG,
  token: tokenSource(),
});

// One after the other: nothing here is in a hurry, and the server's limits are for all of its callers.
for await (const line of createInterface({ input: process.stdin })) {
  const user = line.trim();
  if (user === "") continue;
  const outcome = await erase(user);
  if (outcome.gone) {
    console.log(`${user} gone ${outcome.receipt ?? "(there never was a picture)"}`);
  } else {
    console.log(`${user} NOT GONE ${outcome.error}`);
    process.exitCode = 1;
  }
}
