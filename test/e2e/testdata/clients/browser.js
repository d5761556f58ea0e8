// Drives Chromium: opens pages and lets each of them do its part. Reads from standard input where the browser is and
// which pages to open: {executable, resolve, pages: [{url, sandbox, run, plan}]}. Writes one line of JSON for each page.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const { executable, resolve, pages } = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({
  executablePath: executable,
  headless: true,
  chromiumSandbox: false, // it does not start for root
  args: [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    `--host-resolver-rules=${resolve}`, // nothing is looked up outside
  ],
});
try {
  for (const { url, sandbox, run, plan } of pages) {
    const page = await browser.newPage();
    await page.goto(url);
    let frame = page.mainFrame();
    if (sandbox) {
      // A document in such a frame has an origin of its own, which it sends as "null".
      await page.setContent(`<iframe sandbox="allow-scripts" src="${url}"></iframe>`);
      frame = await (await page.waitForSelector("iframe")).contentFrame();
      await frame.waitForLoadState();
    }
    const answers = await frame.evaluate(([run, plan]) => globalThis.clients[run](plan), [run, plan]);
    console.log(JSON.stringify({ origin: await frame.evaluate(() => globalThis.origin), answers }));
    await page.close();
  }
} finally {
  await browser.close();
}
