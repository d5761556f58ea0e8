// Starts the packaged identity provider oidc-provider on a loopback port, with two clients: one of pages, which gets tokens by authorization
// code with PKCE, and avatard itself, which introspects them. Reads {audience, secret, people} from standard input, where people has the
// extra claims of each person, writes {issuer, tokens} with a token of each, and serves until its end.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import Provider from "oidc-provider";

const plan = JSON.parse(await text(process.stdin));
const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "pages", token_endpoint_auth_method: "none", application_type: "native", // any port of the loopback address
      redirect_uris: ["http://127.0.0.1/callback"], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
    },
    { client_id: "avatard", client_secret: plan.secret, redirect_uris: [], grant_types: [], response_types: [] },
  ],
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === "avatard" },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => plan.audience, // also for those who ask for none
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ audience: plan.audience, scope: "avatars", accessTokenFormat: "opaque", accessTokenTTL: 300 }),
    },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (_, token) => plan.people[token.accountId],
  clientBasedCORS: () => true,
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (context) => (await granted(context.oidc.session.accountId)).grant,
  cookies: { keys: [randomBytes(32).toString("hex")] },
  ttl: { AccessToken: 300, Grant: 300, Interaction: 300, Session: 300, IdToken: 300 },
});

// granted lets the pages act for a person.
async function granted(accountId) {
  const grant = new provider.Grant({ clientId: "pages", accountId });
  grant.addOIDCScope("openid offline_access");
  grant.addResourceScope(plan.audience, "avatars");
  return { grant, id: await grant.save() };
}

async function tokenOf(accountId) {
  const token = new provider.AccessToken({
    accountId, client: await provider.Client.find("pages"), grantId: (await granted(accountId)).id, gty: "authorization_code",
    scope: "avatars", aud: plan.audience, extra: plan.people[accountId],
  });
  return token.save();
}

// The login page has a button for each person.
async function logIn(request, response) {
  if (request.method === "POST") {
    const login = { accountId: new URLSearchParams(await text(request)).get("login") };
    return provider.interactionFinished(request, response, { login });
  }
  if ((await provider.interactionDetails(request, response)).prompt.name === "consent") { // which was given beforehand
    return provider.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
  }
  const buttons = Object.keys(plan.people).map((id) => `<button name=login value="${id}">${id}</button>`);
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(`<!doctype html><html lang=en><title>Sign in</title><form method=post>${buttons.join("")}</form></html>`);
}

server.on("request", (request, response) =>
  request.url.startsWith("/interaction/") ? logIn(request, response) : provider.callback()(request, response));

const tokens = {};
for (const id of Object.keys(plan.people)) tokens[id] = await tokenOf(id);
console.log(JSON.stringify({ issuer, tokens }));
