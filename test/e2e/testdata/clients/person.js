// Uses the page for people as a person does. Reads {executable, url, provider, person, manager, user, organisation, language} from standard input and
// writes one line of JSON: what the person sees, what axe finds, and whatever a good page does not do.

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
const told = { seen: [], faults: [], foreign: [] };

async function view(options, f) {
  const context = await browser.newContext(options);
  context.on("request", (request) => {
    if (![plan.url, plan.provider].includes(new URL(request.url()).origin)) told.foreign.push(request.url());
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => told.faults.push(error.message));
  page.on("console", (message) => {
    // Chromium reports each answer that is an error; a picture that is not there is no fault of the page.
    if (message.type() === "error" && !message.text().includes("a status of 404")) told.faults.push(message.text());
  });
  await page.goto(plan.url + "/");
  await f(page, context);
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (wide[0] > wide[1]) told.faults.push(`the page is ${wide[0]} pixels wide, the window ${wide[1]}`);
  told.stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie].join());
  await context.close();
}

async function examine(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of violations) told.faults.push(`axe, ${what}: ${v.id}: ${v.nodes.length} × ${v.nodes[0].html.slice(0, 200)}`);
}

// settled waits until the page has said something, and keeps it.
async function settled(page, words) {
  await page.waitForFunction((words) => document.querySelector("#status").textContent.includes(words), words);
  told.seen.push(await page.locator("#status").innerText());
}

async function signIn(page, context, person, press) {
  const opened = context.waitForEvent("page");
  await press("#sign-in");
  const login = await opened;
  await login.click(`button[value="${person}"]`);
  await page.waitForFunction(() => !document.querySelector("#signed-in").hidden && document.querySelector("#status").textContent === "");
}

const there = (page) => page.evaluate(() => !document.querySelector("#remove").hidden);

// shown tells the width of the picture and of its smaller ones, and how many colours the large one has.
const shown = (page) => page.evaluate(() => {
  const canvas = document.querySelector("#picture");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set(new Uint32Array(data.buffer));
  return [canvas.width, ...[...document.querySelectorAll("#sizes canvas")].map((c) => c.width), colours.size];
});

// picture draws one in the browser, w by h pixels.
const picture = (page, w, h) => page.evaluate(async ([w, h]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
  const context = canvas.getContext("2d");
  for (let x = 0; x < w; x += 8) {
    context.fillStyle = `hsl(${x % 360} 80% 50%)`;
    context.fillRect(x, 0, 8, h);
  }
  return canvas.toDataURL("image/png").split(",")[1];
}, [w, h]);

try {
  // With mouse and drag and drop.
  await view({ viewport: { width: 1200, height: 900 }, colorScheme: "light", locale: "en-GB" }, async (page, context) => {
    told.title = await page.title();
    await examine(page, "signed out");
    await signIn(page, context, plan.person, (selector) => page.click(selector));
    await examine(page, "signed in");
    const data = await picture(page, 1600, 900);
    await page.evaluate((data) => {
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      const moved = new DataTransfer();
      moved.items.add(new File([bytes], "wide.png", { type: "image/png" }));
      document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: moved, bubbles: true, cancelable: true }));
    }, data);
    await page.waitForSelector("#crop[open]");
    await examine(page, "crop");
    const area = await page.locator("#crop-area").boundingBox();
    await page.mouse.move(area.x + 100, area.y + 100);
    await page.mouse.down();
    await page.mouse.move(area.x + 40, area.y + 100);
    await page.mouse.up();
    await page.click("#save");
    await settled(page, "saved");
    told.sizes = await shown(page);
    told.size = await page.evaluate(() => [document.querySelector("#picture").width, document.querySelector("#picture").height]);
    await page.click("#remove");
    await examine(page, "confirm");
    await page.click("#confirm button[value=cancel]");
    told.kept = await there(page);
    await page.click("#remove");
    await page.click("#confirm button[value=remove]");
    await settled(page, "Receipt");
    told.gone = !await there(page);
    told.standIn = await shown(page);
    await examine(page, "default picture");
  });
  // With the keyboard alone, on a telephone, in the dark.
  await view({ viewport: { width: 390, height: 800 }, colorScheme: "dark", locale: "de-DE" }, async (page, context) => {
    told.german = await page.title();
    await examine(page, "dark");
    const press = async (selector, key = "Enter") => {
      for (let i = 0; i < 30; i++) {
        if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) {
          await page.keyboard.press(key);
          return;
        }
        await page.keyboard.press("Tab");
      }
      throw new Error(`${selector} is not reached with the keyboard`);
    };
    await signIn(page, context, plan.person, press);
    const data = await picture(page, 300, 400);
    const chosen = page.waitForEvent("filechooser");
    await press("#file", "Space");
    await (await chosen).setFiles({ name: "tall.png", mimeType: "image/png", buffer: Buffer.from(data, "base64") });
    await page.waitForSelector("#crop[open]");
    await examine(page, "crop, dark");
    for (const key of ["+", "ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
    await press("#save");
    await settled(page, "gespeichert");
    await press("#remove");
    await press("#confirm button[value=remove]");
    await settled(page, "Beleg");
  });
  // Somebody who manages others.
  await view({ viewport: { width: 1200, height: 900 }, locale: "en-GB" }, async (page, context) => {
    await signIn(page, context, plan.manager, (selector) => page.click(selector));
    await page.click("#others summary");
    await page.fill("#user", plan.user);
    await page.fill("#organisation", plan.organisation);
    await page.click("#find button[type=submit]");
    await page.waitForFunction((user) => document.querySelector("#whose").textContent.includes(user) && document.querySelector("#status").textContent === "", plan.user);
    await examine(page, "somebody else");
    const data = await picture(page, 200, 200);
    await page.setInputFiles("#file", { name: "a.png", mimeType: "image/png", buffer: Buffer.from(data, "base64") });
    await page.click("#save");
    await settled(page, "saved");
    await page.click("#remove");
    await page.click("#confirm button[value=remove]");
    await settled(page, "Receipt");
  });
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
