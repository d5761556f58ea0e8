// Uses the API reference as a reader does. Reads {executable, url, provider, person, user, organization, viewer, manager, errors, picture} from standard input and writes one line
// of JSON: what the reader sees, what axe finds on every tab, and whatever a good page does not do.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const plan = JSON.parse(await text(process.stdin));
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath: plan.executable,
  headless: true,
  chromiumSandbox: false, // it does not start for root
  args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});
const told = { sent: [], faults: [], foreign: [] };

// view opens a view of the page and hands it to f.
async function view({ origin = plan.url, ...options }, f) {
  const context = await browser.newContext(options);
  // Another origin is a proxy that speaks TLS: it passes calls on to the server, which does not know of it.
  if (origin !== plan.url) {
    await context.route(`${origin}/**`, async (route) => {
      const path = route.request().url().slice(origin.length);
      await route.fulfill({ response: await route.fetch({ url: plan.url + path }) });
    });
  }
  context.on("request", (request) => {
    if (![origin, plan.provider].includes(new URL(request.url()).origin)) told.foreign.push(request.url());
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => told.faults.push(error.message));
  page.on("console", (message) => {
    // Chromium reports each answer that is an error; those that are asked for are no fault of the page.
    const expected = plan.errors.some((status) => message.text().includes(`a status of ${status}`));
    if (message.type() === "error" && !expected) told.faults.push(message.text());
  });
  await page.goto(origin + "/docs");
  await page.waitForFunction(() => !document.querySelector(".try").hidden);
  await f(page, context);
  await context.close();
}

// send fills in and sends an operation, and returns what is shown.
async function send(page, operation, values) {
  const section = page.locator(`section#${operation}`);
  for (const [name, value] of Object.entries(values)) await section.locator(`.try [data-fill=${name}]`).fill(value);
  await section.locator(".try button").click();
  await page.waitForFunction((id) => document.querySelector(`section#${id} .try output .answer`), operation);
  const shown = (await section.locator(".try output").innerText()).trim();
  await section.locator(".try output").evaluate((output) => output.replaceChildren());
  told.sent.push(shown);
}

// samples returns the request lines by operation and language.
function samples(page) {
  return page.evaluate(() => Object.fromEntries([...document.querySelectorAll("section.operation")].map((section) =>
    [section.id, Object.fromEntries([...section.querySelectorAll("[data-tabs=Languages] [data-tab]")].map((tab) => [tab.dataset.tab, tab.textContent]))])));
}

// examine runs axe on every tab at once: what is hidden it does not look at.
async function examine(page, options = {}) {
  await page.evaluate(() => document.querySelectorAll("[role=tabpanel]").forEach((panel) => (panel.hidden = false)));
  await page.evaluate(axe);
  const { violations } = await page.evaluate((options) => globalThis.axe.run(document, options), { resultTypes: ["violations"], ...options });
  for (const v of violations) told.faults.push(`axe: ${v.id}: ${v.nodes.length} × ${v.nodes[0].html.slice(0, 200)}`);
}

try {
  await view({ viewport: { width: 1200, height: 900 } }, async (page, context) => {
    const opened = context.waitForEvent("page");
    await page.click("#authorize");
    const login = await opened;
    await login.click(`button[value="${plan.person}"]`);
    await page.waitForFunction(() => document.querySelector("#authorized").textContent.startsWith("Signed in"));
    await send(page, "RemoveHumanAvatar", { userId: plan.user });
    await send(page, "RemoveHumanAvatar", { userId: plan.user });
    await page.fill("#token", plan.viewer);
    await send(page, "RemoveHumanAvatar", { userId: plan.user });
    await page.setInputFiles("#UploadHumanAvatar-file", { name: "a.png", mimeType: "image/png", buffer: Buffer.from(plan.picture, "base64") });
    await page.fill("#token", plan.manager);
    await send(page, "UploadHumanAvatar", { userId: plan.user });
    await send(page, "ReadAvatar", { orgId: plan.organization, userId: plan.user });
    told.sample = await page.locator("section#RemoveHumanAvatar [role=tabpanel] pre").first().innerText();
    await page.check("#show-token");
    told.sampleWithToken = await page.locator("section#RemoveHumanAvatar [role=tabpanel] pre").first().innerText();
    await page.fill("#value-userId", plan.user);
    await page.fill("#value-orgId", plan.organization);
    told.samples = await samples(page);
    told.stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie].join());
  });
  await view({}, async (page) => {
    const read = page.locator("section#ReadAvatar");
    const ask = async (userId) => {
      for (const [name, value] of Object.entries({ orgId: plan.organization, userId })) await read.locator(`.try [data-fill=${name}]`).fill(value);
      await read.locator(".try button").click();
    };
    const shown = async (words) => {
      await page.waitForFunction((words) => document.querySelector("section#ReadAvatar .try output").innerText.includes(words), words);
      return read.locator(".try output").innerText();
    };
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route("**/users/late/avatar", async (route) => {
      await held;
      await route.fulfill({ contentType: "text/plain", body: "the late one" });
    });
    await page.route("**/users/odd/avatar", (route) => route.fulfill({ contentType: "application/json", body: "no JSON" }));
    await page.route("**/users/broken/avatar", (route) => route.fulfill({ contentType: "image/png", body: "no picture" }));
    const arrived = page.waitForEvent("requestfinished", (request) => request.url().includes("/users/late/"));
    await ask("late");
    await ask("odd");
    told.odd = [await shown("no JSON")];
    release();
    await (await arrived).response().then((response) => response.finished());
    await ask("broken");
    told.odd.push(await shown("cannot show"));
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    told.odd.push(await read.locator(".try output").innerText());
  });
  await view({ viewport: { width: 1200, height: 900 }, colorScheme: "light" }, (page) => examine(page));
  // In the dark only colours differ.
  await view({ viewport: { width: 1200, height: 900 }, colorScheme: "dark" }, (page) => examine(page, { runOnly: ["color-contrast"] }));
  await view({ origin: "https://avatars_1.example" }, async (page) => {
    told.proxied = await samples(page);
  });
  await view({ viewport: { width: 390, height: 800 } }, async (page) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > 390) told.faults.push(`the page is ${wide} pixels wide`);
    await examine(page);
    await page.focus("section#RemoveHumanAvatar [role=tab]");
    await page.keyboard.press("ArrowRight");
    told.focused = await page.evaluate(() => document.activeElement.textContent);
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
