// Takes the pictures of the README: node screenshots.js URL PERSON MANAGER FOLDER, with a running "avatard dev", its URL, the ids of somebody
// who has a picture and of a manager, and the folder for the files.

import { chromium } from "playwright-core";

const [url, person, manager, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", chromiumSandbox: false, args: ["--disable-gpu", "--no-proxy-server"] });

async function take(path, file, viewport, arrange) {
  const context = await browser.newContext({ viewport, colorScheme: "light", locale: "en-GB" });
  const page = await context.newPage();
  await page.goto(url + path);
  await arrange(page, context);
  await page.screenshot({ path: `${folder}/${file}` });
  await context.close();
}

async function signIn(page, context, button, who) {
  const opened = context.waitForEvent("page");
  await page.click(button);
  await (await opened).click(`button[value="${who}"]`);
}

try {
  await take("/", "page.png", { width: 640, height: 840 }, async (page, context) => {
    await signIn(page, context, "#sign-in", person);
    await page.waitForFunction(() => !document.querySelector("#remove").hidden && document.querySelector("#signed-in").ariaBusy !== "true");
  });
  await take("/docs", "reference.png", { width: 900, height: 640 }, async (page, context) => {
    await page.waitForFunction(() => !document.querySelector(".try").hidden);
    await signIn(page, context, "#authorize", manager);
    await page.waitForFunction(() => document.querySelector("#authorized").textContent.startsWith("Signed in"));
    const section = page.locator("section#RemoveHumanAvatar");
    await section.locator(".try [data-fill=userId]").fill(person);
    await section.locator("h4", { hasText: "Request" }).evaluate((heading) => heading.scrollIntoView());
  });
} finally {
  await browser.close();
}
