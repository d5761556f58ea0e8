// A browser on the page for people. Importing this reads the plan, {executable, url, provider, …}, from standard input and starts it.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

export const plan = JSON.parse(await text(process.stdin));
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const browser = await chromium.launch({
  executablePath: plan.executable,
  headless: true,
  chromiumSandbox: false, // it does not start for root
  args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});

// told has what the person sees, what axe finds, and whatever a good page does not do.
export const told = { faults: [], foreign: [] };

// view does f with a new browser. An answer that is an error is a fault of the page unless it is what f lets the server do.
export async function view(options, f, failing = false) {
  const context = await browser.newContext(options);
  context.on("request", (request) => {
    if (![plan.url, plan.provider].includes(new URL(request.url()).origin)) told.foreign.push(request.url());
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => told.faults.push(error.message));
  page.on("console", (message) => {
    // Chromium reports each answer that is an error; a picture that is not there is no fault of the page.
    const expected = failing ? "Failed to load resource" : "a status of 404";
    if (message.type() === "error" && !message.text().includes(expected)) told.faults.push(message.text());
  });
  await page.goto(plan.url + "/");
  await f(page, context);
  await measure(page);
  told.stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie].join());
  await context.close();
}

// measure notes where the page has to be moved sideways.
async function measure(page) {
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (wide[0] > wide[1]) told.faults.push(`the page is ${wide[0]} pixels wide, the window ${wide[1]}`);
}

// examine notes what axe finds.
export async function examine(page, what) {
  await measure(page);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of violations) told.faults.push(`axe, ${what}: ${v.id}: ${v.nodes.length} × ${v.nodes[0].html.slice(0, 200)}`);
}

// says waits until the page has said something, as its status or as a problem, and has nothing more to do.
export const says = (page, words, where = "#status") => page.waitForFunction(([words, where]) =>
  document.querySelector(where).textContent.includes(words) && document.querySelector("#signed-in").ariaBusy !== "true", [words, where]);

// signIn presses the button in the way of press, and chooses a person on the log-in page.
export async function signIn(page, context, person, press) {
  const opened = context.waitForEvent("page");
  await press("#sign-in");
  const login = await opened;
  await login.click(`button[value="${person}"]`);
  await page.waitForFunction(() => !document.querySelector("#signed-in").hidden && document.querySelector("#status").textContent === "" &&
    document.querySelector("#signed-in").ariaBusy !== "true");
}

// hold keeps the first such request back; `held` is done when it is there, and release lets it go on.
export async function hold(page, method, address) {
  let arrived, goOn, wentOn;
  const held = new Promise((resolve) => (arrived = resolve));
  const released = new Promise((resolve) => (goOn = resolve));
  await page.route(address, (route) => {
    if (wentOn || route.request().method() !== method) return route.fallback();
    wentOn = released.then(() => route.continue());
    arrived();
    return wentOn;
  });
  const release = async () => {
    goOn();
    await wentOn;
    await page.unroute(address);
  };
  return { held, release };
}

// keys returns what presses a key on an element that the keyboard alone has come to.
export const keys = (page) => async (selector, key = "Enter", by = "Tab") => {
  for (let i = 0; i < 30; i++) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) {
      await page.keyboard.press(key);
      return;
    }
    await page.keyboard.press(by);
  }
  throw new Error(`${selector} is not reached with the keyboard`);
};
