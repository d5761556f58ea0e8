import { readFile } from "node:fs/promises";

/** Returns a token for the next call. Nothing is cached on disk, and a token is never logged. */
export type TokenSource = () => Promise<string>;

/** A token that something else renews in a file, such as a mounted secret. */
export function tokenFromFile(file: string): TokenSource {
  return async () => (await readFile(file, "utf8")).trim();
}

export interface ClientCredentials {
  tokenEndpoint: string; // token_endpoint of the provider's discovery document
  clientId: string;
  clientSecretFile: string;
  scope: string;
}

/** Client credentials (RFC 6749 section 4.4), asked for again half a minute before the last token ends. */
export function tokenOfClient(client: ClientCredentials): TokenSource {
  let token = "";
  let goodUntil = 0;
  return async () => {
    if (Date.now() < goodUntil) return token;
    const secret = (await readFile(client.clientSecretFile, "utf8")).trim();
    const basic = [client.clientId, secret].map(encodeURIComponent).join(":");
    const res = await fetch(client.tokenEndpoint, {
      method: "POST",
      headers: { Authorization: `Basic ${Buffer.from(basic).toString("base64")}` },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: client.scope }),
      redirect: "error", // a secret does not follow
      signal: AbortSignal.timeout(10_000),
    });
    if (!res.ok) throw new Error(`${client.tokenEndpoint} gave no token: ${res.status}`);
    const answer = (await res.json()) as { access_token: string; expires_in?: number };
    token = answer.access_token;
    goodUntil = Date.now() + ((answer.expires_in ?? 60) - 30) * 1000;
    return token;
  };
}
