// Uses the lists of the page for people as a manager does, and as somebody who may not. Reads {executable, url, person, manager, viewer, user, odd} from
// standard input and writes one line of JSON: what was listed and ended, what axe finds, and whatever a good page does not do.

import { browser, examine, hold, keys, plan, signIn, told, view } from "./visitor.js";

Object.assign(told, { pages: [], listed: [] });

const listing = "**/avatard.v1.UserService/ListUsers";
const erasing = "**/avatard.v1.ErasureService/EraseUser";

// seen waits until the page shows what is wanted of it, with nothing more to do.
async function seen(page, want) {
  const look = (want) => {
    const at = (selector) => document.querySelector(selector);
    const current = (list) => at(`${list} [aria-current=page]`)?.textContent ?? "";
    const got = {
      title: at("h1").textContent, named: document.title, view: current("#views"), filter: current("#filters"), status: at("#status").textContent, problem: at("#problem").textContent,
      rows: at("#user-list").children.length, receipts: at("#receipt-list").children.length, whose: at("#whose").textContent, of: at("#whose-receipts bdi").textContent,
      first: at("#user-list .id")?.textContent, focus: document.activeElement.id || document.activeElement.textContent, signedIn: !at("#signed-in").hidden,
      hash: location.hash, dialogs: document.querySelectorAll("dialog[open]").length,
    };
    const is = ([name, value]) => ["status", "problem", "focus"].includes(name) ? got[name].includes(value) : got[name] === value;
    return want ? at("#signed-in").ariaBusy !== "true" && Object.entries(want).every(is) : got;
  };
  try {
    await page.waitForFunction(look, want, { timeout: 10_000 });
  } catch {
    told.faults.push(`the page shows ${JSON.stringify(await page.evaluate(look))}, want ${JSON.stringify(want)}`);
  }
}

const ids = (page) => page.locator("#user-list .id").allTextContents();
const rowOf = (page, id) => page.locator("#user-list > li", { has: page.getByText(id, { exact: true }) });

// paged goes through the pages of all users, and back.
async function paged(page) {
  await page.click("#views [data-view=users]");
  await seen(page, { title: "Users", named: "Users", view: "Users", filter: "All", status: "Users on this page: 200", rows: 200, problem: "" });
  await page.waitForFunction(() => {
    const [canvas] = document.querySelectorAll("#user-list .thumbnail[data-address]");
    return canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[3] > 0;
  });
  const pages = [await ids(page)];
  while (await page.locator("#page-next").isVisible()) {
    await page.click("#page-next");
    await page.waitForFunction((last) => document.querySelector("#user-list .id") && document.querySelector("#user-list .id").textContent !== last, pages.at(-1)[0]);
    await seen(page, { title: "Users", status: "Users on this page", focus: "title" });
    pages.push(await ids(page));
  }
  [told.pages, told.listed] = [pages.map(({ length }) => length), pages.flat()];
  await page.click("#page-previous");
  await seen(page, { first: pages[1][0], rows: 200 });
  await page.click("#page-previous");
  await seen(page, { first: pages[0][0], rows: 200 });
  await page.goBack();
  await seen(page, { first: pages[1][0], rows: 200 });
  await page.click("#filters [data-picture=without]");
  await seen(page, { filter: "Without a picture", status: "Users on this page: 4", rows: 4 });
  await page.goBack();
  await seen(page, { filter: "All", first: pages[1][0], rows: 200 });
}

// odd looks at a user whose id is markup.
async function odd(page) {
  await page.click("#filters [data-picture=without]");
  await seen(page, { filter: "Without a picture", rows: 4 });
  await examine(page, "users");
  if (await page.locator("#user-list img, #user-list b").count()) told.faults.push("an id became markup");
  await rowOf(page, plan.odd).locator("a.id").click();
  await seen(page, { title: "Somebody else's picture", view: "", whose: `Picture of ${plan.odd}`, focus: "title", problem: "" });
  await page.goBack();
  await seen(page, { title: "Users", filter: "Without a picture", rows: 4 });
  await rowOf(page, plan.odd).locator("button").click();
  await examine(page, "the end of an account");
  if (await page.locator("#end-who").innerText() !== plan.odd) told.faults.push(`the dialog names ${await page.locator("#end-who").innerText()}`);
  await page.click("#end [value=end]");
  await seen(page, { status: `The account ${plan.odd} has ended for good. There is no receipt`, focus: `Ended: ${plan.odd}` });
  await rowOf(page, "..").locator("button").click();
  await page.click("#end [value=end]");
  await seen(page, { status: "The account .. has ended for good.", problem: "" });
}

// ended ends an account that has a picture: not when that is cancelled, not without the permission, and once however often it is pressed.
async function ended(page) {
  await page.click("#filters [data-picture=with]");
  await seen(page, { filter: "With a picture", rows: 200, first: plan.user });
  const button = rowOf(page, plan.user).locator("button");
  const calls = [];
  page.on("request", (request) => request.url().endsWith("/EraseUser") && calls.push(request.postData()));
  await button.click();
  await page.waitForFunction(() => document.activeElement.value === "cancel");
  await page.keyboard.press("Enter");
  await seen(page, { rows: 200, first: plan.user, dialogs: 0, status: "", focus: "End the account" });
  if (calls.length) told.faults.push("an end that was cancelled was asked for");

  // With the token of somebody who may only look.
  await page.route(erasing, (route) => route.continue({ headers: { ...route.request().headers(), authorization: `Bearer ${plan.viewer}` } }));
  await button.click();
  await page.click("#end [value=end]");
  await seen(page, { problem: "needs the permission user.delete", rows: 200 });
  await seen(page, { problem: "(AUTH-5mWD2)" });
  await page.unroute(erasing);
  await page.route(erasing, (route) => route.fulfill({ status: 503, contentType: "application/json", headers: { "X-Request-Id": "R1" }, body: '{"code": "unavailable", "message": "busy"}' }));
  await button.click();
  await page.click("#end [value=end]");
  await seen(page, { problem: "try again: busy (R1)", rows: 200 });
  await page.unroute(erasing);

  calls.length = 0;
  const call = await hold(page, "POST", erasing);
  await button.click();
  await page.evaluate(() => {
    const button = document.querySelector("#end [value=end]");
    for (let i = 0; i < 3; i++) button.click();
  });
  await call.held;
  // Nothing else is begun meanwhile; where the browser's buttons lead is shown afterwards.
  await page.evaluate(() => {
    for (const pressed of document.querySelectorAll("#user-list li:nth-child(2) button, #views a, #page-next")) pressed.click();
  });
  if (!await page.evaluate(() => location.hash === "#view=users&picture=with" && !document.querySelector("dialog[open]"))) told.faults.push("something was begun while an account ended");
  await call.release();
  await seen(page, { status: `The account ${plan.user} has ended for good. Receipt: `, focus: "Show the receipt", rows: 200 });
  if (calls.join() !== JSON.stringify({ userId: plan.user })) told.faults.push(`to end an account the server was asked ${calls}`);
  if ((await ids(page)).indexOf(plan.user) !== 0 || await button.count()) told.faults.push("the row of an account that ended can be used");
  told.receipt = (await page.locator("#status").innerText()).split("Receipt: ")[1];
}

// receipts looks at the receipt of the end, and finds it again in three ways.
async function receipts(page) {
  const parts = async () => Object.fromEntries(await page.evaluate(() => [...document.querySelectorAll("#receipt-parts [data-part]")].map((part) => [part.dataset.part, part.textContent])));
  await page.click("text=Show the receipt");
  await seen(page, { title: "Receipt", named: "Receipt", problem: "", focus: "title" });
  told.parts = await parts();
  await examine(page, "receipt");
  await page.click("#receipts-of");
  await seen(page, { title: "Receipts", view: "", of: plan.user, receipts: 1, status: "Receipts on this page: 1" });
  await page.click("#views [data-view=receipts]");
  await seen(page, { title: "Receipts", view: "Receipts", of: "", receipts: 1 });
  await examine(page, "receipts");
  await page.click("summary:text('Look up')");
  await page.fill("#of-user", "nobody");
  await page.keyboard.press("Enter");
  await seen(page, { of: "nobody", receipts: 0, status: "There are no receipts on this page." });
  await page.fill("#of-receipt", told.receipt);
  await page.keyboard.press("Enter");
  await seen(page, { title: "Receipt", problem: "" });
  if ((await parts()).userId !== plan.user) told.faults.push("a receipt is not found by its id");
  await page.goBack();
  await seen(page, { of: "nobody", receipts: 0 });
  await page.fill("#of-receipt", "0123456789abcdef");
  await page.keyboard.press("Enter");
  await seen(page, { title: "Receipt", problem: "(AVATAR-r3Fn6)" });
}

// disorder has the server answer as it seldom does.
async function disorder(page, context) {
  // Pages without users, though others follow: they are passed over, but not for ever.
  let asked = 0;
  let empty = 3;
  await page.route(listing, async (route) => {
    if (asked++ >= empty) return route.continue({ postData: "{}" });
    await route.fulfill({ contentType: "application/json", body: `{"nextPageToken": "${asked}"}` });
  });
  await page.click("#views [data-view=users]");
  await seen(page, { title: "Users", status: "Users on this page: 200", rows: 200 });
  [asked, empty] = [0, Infinity];
  await page.click("#filters [data-picture=with]");
  await seen(page, { filter: "With a picture", status: "There are no users on this page.", rows: 0 });
  if (asked !== 20 || !await page.locator("#page-next").isVisible()) told.faults.push(`of empty pages ${asked} were asked for in a row, want 20 and a link to the next`);
  await page.unroute(listing);

  // The browser's button is pressed while a list is read.
  const read = await hold(page, "POST", listing);
  await page.click("#filters [data-picture='']");
  await read.held;
  await page.evaluate(() => history.back());
  await page.waitForFunction(() => location.hash.endsWith("with"));
  await read.release();
  await seen(page, { filter: "With a picture", status: "Users on this page: 200" });

  await page.route(listing, (route) => route.fulfill({ status: 503, contentType: "application/json", body: '{"message": "busy"}' }));
  await page.click("#filters [data-picture='']");
  await seen(page, { filter: "All", problem: "try again: busy", rows: 0, status: "" });
  await page.unroute(listing);
  await page.evaluate(() => location.hash = "#view=users&page=x");
  await seen(page, { problem: "(AVATAR-p5Tk1)", rows: 0 });
  await page.click("summary:text('Another organisation')");
  await page.fill("#act-in", "elsewhere");
  await page.keyboard.press("Enter");
  await seen(page, { hash: "#view=users&organisation=elsewhere", problem: "x-zitadel-orgid does not name" });

  // The token ends.
  await page.route(listing, (route) => route.fulfill({ status: 401, contentType: "application/json", body: "{}" }));
  await page.click("#views [data-view=users]");
  await seen(page, { signedIn: false, problem: "Sign in again", hash: "", title: "Your picture", focus: "sign-in", rows: 0 });
  await page.unroute(listing);
  // An address that was kept is shown once somebody has signed in.
  await page.evaluate(() => location.hash = "#view=receipts");
  await context.clearCookies();
  const [login] = await Promise.all([context.waitForEvent("page"), page.click("#sign-in")]);
  await login.click(`button[value="${plan.manager}"]`);
  await seen(page, { signedIn: true, title: "Receipts", view: "Receipts", receipts: 1 });
}

// telephone ends an account with the keyboard alone, on a small screen, in German and in the dark.
async function telephone(page, context) {
  const press = keys(page);
  await signIn(page, context, plan.manager, press);
  await press("#views [data-view=users]");
  await seen(page, { title: "Benutzer", status: "Benutzer auf dieser Seite: 200", focus: "Benutzer" });
  await press("#filters [data-picture=without]");
  await seen(page, { filter: "Ohne Bild", rows: 2, focus: "Ohne Bild" });
  await examine(page, "users, dark");
  await press("#user-list li:nth-child(2) button");
  await page.waitForFunction(() => document.activeElement.value === "cancel");
  if (!await page.locator("#end-own").isVisible()) told.faults.push("nothing warns of the end of one's own account");
  await examine(page, "the end of an account, dark");
  await page.keyboard.press("Escape");
  await seen(page, { dialogs: 0, rows: 2, status: "", focus: "Konto beenden" });
  await press("#filters [data-picture=with]", "Enter", "Shift+Tab");
  await seen(page, { filter: "Mit Bild", rows: 200 });
  await press("#user-list li:nth-child(3) button");
  if (await page.locator("#end-own").isVisible()) told.faults.push("somebody else's account is called one's own");
  await press("#end [value=end]");
  await seen(page, { status: "ist endgültig beendet. Beleg: ", focus: "Beleg anzeigen" });
  await page.keyboard.press("Enter");
  await seen(page, { title: "Beleg", focus: "title", problem: "" });
  await examine(page, "receipt, dark");
  await press("#sign-out");
  await page.waitForFunction(() => document.querySelector("#status").textContent.includes("abgemeldet"));
  await seen(page, { signedIn: false, hash: "", title: "Ihr Bild", rows: 0, receipts: 0 });
}

try {
  await view({ viewport: { width: 1200, height: 900 }, colorScheme: "light", locale: "en-GB" }, async (page, context) => {
    await signIn(page, context, plan.manager, (selector) => page.click(selector));
    for (const part of [paged, odd, ended, receipts, disorder]) await part(page, context);
  }, true);
  await view({ viewport: { width: 320, height: 640 }, colorScheme: "dark", locale: "de-DE" }, telephone);
  await view({ viewport: { width: 1200, height: 900 }, locale: "en-GB" }, async (page, context) => {
    await signIn(page, context, plan.person, (selector) => page.click(selector));
    await page.click("#views [data-view=users]");
    await seen(page, { title: "Users", problem: "needs the permission user.read", rows: 0 });
    await seen(page, { problem: "(AUTHZ-cdgFk)" });
  });
} catch (error) {
  told.faults.push(error.stack); // behind those that may have led to it
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
