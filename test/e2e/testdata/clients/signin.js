// Signs somebody in from a page of another origin, as a frontend does: discovery and the exchange of the code with fetch, the log-in
// page in between with a click. Reads {executable, page, callback, issuer, clientId, scopes, person, url, method} from standard input and writes one line of
// JSON: {origin, status, body} of the call that the page then makes with its token.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const plan = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({
  executablePath: plan.executable,
  headless: true,
  chromiumSandbox: false, // it does not start for root
  args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});
try {
  const page = await browser.newPage();
  await page.goto(plan.page);
  const begun = await page.evaluate(async (plan) => {
    const discovery = await (await fetch(plan.issuer + "/.well-known/openid-configuration")).json();
    const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
    const challenge = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
    const query = new URLSearchParams({
      client_id: plan.clientId,
      redirect_uri: plan.callback,
      response_type: "code",
      scope: plan.scopes,
      state: "s",
      code_challenge: challenge,
      code_challenge_method: "S256",
    });
    return { verifier, endpoint: discovery.token_endpoint, go: discovery.authorization_endpoint + "?" + query };
  }, plan);
  await page.goto(begun.go);
  await page.click(`button[value="${plan.person}"]`);
  await page.waitForURL((url) => url.href.startsWith(plan.callback) && url.searchParams.has("code"));
  const told = await page.evaluate(
    async ([plan, begun]) => {
      const form = new URLSearchParams({
        grant_type: "authorization_code",
        code: new URL(location.href).searchParams.get("code"),
        redirect_uri: plan.callback,
        client_id: plan.clientId,
        code_verifier: begun.verifier,
      });
      const tokens = await (await fetch(begun.endpoint, { method: "POST", body: form, headers: { "X-Requested-With": "fetch" } })).json();
      const answer = await fetch(plan.url, { method: plan.method, headers: { Authorization: "Bearer " + tokens.access_token } });
      return { origin: location.origin, status: answer.status, body: await answer.text() };
    },
    [plan, begun],
  );
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
