// Uses pages as a person does. Reads {executable, visits: [{steps}]} from standard input and writes JSON: [{told, stored, complaints}].
// Steps are ["go", URL], ["click", SELECTOR], ["fill", SELECTOR, TEXT] and ["tell", SELECTOR], which waits for a result to stand there and tells it.
// Each visit is in a browser of its own, as far as what is stored goes.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const { executable, visits } = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({
  executablePath: executable,
  headless: true,
  chromiumSandbox: false, // it does not start for root
  args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"],
});
try {
  const all = [];
  for (const { steps } of visits) all.push(await visit(steps));
  console.log(JSON.stringify(all));
} finally {
  await browser.close();
}

async function visit(steps) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (err) => complaints.push(String(err)));
  const told = [];
  for (const [step, target, value] of steps) {
    if (step === "go") await page.goto(target);
    else if (step === "click") await page.click(target);
    else if (step === "fill") await page.fill(target, value);
    else {
      const result = await page.waitForFunction((target) => {
        const text = document.querySelector(target)?.textContent;
        return text && text !== "…" && text;
      }, target);
      told.push(await result.jsonValue());
    }
  }
  const stored = await page.evaluate(() => localStorage.length + sessionStorage.length);
  await context.close();
  return { told, stored, complaints };
}
