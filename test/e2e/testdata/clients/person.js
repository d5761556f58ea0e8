// Uses the page for people as a person does. Reads {executable, url, provider, person, manager, user, organisation, disorder} from standard input and
// writes one line of JSON: what the person sees, what axe finds, and whatever a good page does not do.

import { browser, examine, hold, keys, plan, says, signIn, told, view } from "./visitor.js";

Object.assign(told, { signedOut: [], seen: [] });

// settled keeps what the page says.
async function settled(page, words) {
  await says(page, words);
  told.seen.push(await page.locator("#status").innerText());
}

// signOut presses the button and notes where the page and the provider do not end the sign-in.
async function signOut(page, press) {
  const seen = page.waitForRequest((request) => request.method() === "GET" && request.url().includes("/avatar"));
  await page.evaluate(() => document.querySelector("#own").click());
  const { authorization } = await (await seen).allHeaders();
  await says(page, "");
  const revoked = page.waitForResponse((response) => response.url().endsWith("/revoke") || response.url().endsWith("/token/revocation"));
  await press("#sign-out");
  const asked = (await revoked).request().postData();
  if (!asked.includes(`token=${encodeURIComponent(authorization.replace("Bearer ", ""))}&token_type_hint=access_token`) || !(await revoked).ok()) {
    told.faults.push(`the token is not ended: ${(await revoked).status()} for ${asked}`);
  }
  await page.waitForFunction(() => document.querySelector("#status").textContent.length > 20);
  told.signedOut.push(await page.locator("#status").innerText());
  await expect(page, "signed out", { whose: "", picture: "none", remove: false, user: "", organisation: "", signedIn: false, focus: "sign-in", problem: "" });
  await examine(page, "signed out again");
}

const there = (page) => page.evaluate(() => !document.querySelector("#remove").hidden);

// shown tells the width of the picture and of its smaller ones, and how many colours the large one has.
const shown = (page) => page.evaluate(() => {
  const canvas = document.querySelector("#picture");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set(new Uint32Array(data.buffer));
  return [canvas.width, ...[...document.querySelectorAll("#sizes canvas")].map((c) => c.width), colours.size];
});

// picture draws one in the browser, w by h pixels, in one colour or in many.
const picture = (page, w, h, colour) => page.evaluate(async ([w, h, colour]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
  const context = canvas.getContext("2d");
  for (let x = 0; x < w; x += 8) {
    context.fillStyle = colour ?? `hsl(${x % 360} 80% 50%)`;
    context.fillRect(x, 0, 8, h);
  }
  return canvas.toDataURL("image/png").split(",")[1];
}, [w, h, colour]);

// expect notes a fault where what the page shows is not what is wanted: of `want`, the parts that are named.
async function expect(page, what, want) {
  const got = await page.evaluate(() => {
    const at = (id) => document.querySelector(`#${id}`);
    const { data } = at("picture").getContext("2d").getImageData(100, 100, 1, 1);
    const seen = getComputedStyle(at("picture")).visibility === "visible" && data[3] > 0;
    return {
      whose: at("whose").textContent, picture: !seen ? "none" : data[0] > 200 && data[1] < 50 ? "red" : "another", remove: !at("remove").hidden,
      dialogs: document.querySelectorAll("dialog[open]").length, focus: document.activeElement.id, user: at("user").value,
      organisation: at("organisation").value, signedIn: !at("signed-in").hidden, off: at("remove").ariaDisabled, problem: at("problem").textContent,
    };
  });
  for (const [name, value] of Object.entries(want)) {
    if (got[name] !== value) told.faults.push(`${what}: ${name} is ${JSON.stringify(got[name])}, want ${JSON.stringify(value)}`);
  }
}

// put chooses a picture of one colour and presses Save.
async function put(page, colour) {
  await page.setInputFiles("#file", { name: "a.png", mimeType: "image/png", buffer: Buffer.from(await picture(page, 200, 200, colour), "base64") });
  await page.click("#save");
}

// press presses a button that may be off, which page.click would wait for.
const press = (page, selector) => page.evaluate((selector) => document.querySelector(selector).click(), selector);

async function find(page) {
  await page.fill("#user", plan.user);
  await page.fill("#organisation", plan.organisation);
  await press(page, "#find button[type=submit]");
}

async function apart(page, context) {
  const own = /\/assets\/v1\/users\/me\/avatar/;
  const theirs = (url) => url.pathname.endsWith(`/users/${plan.user}/avatar`);
  const failing = (route) => route.fulfill({ status: 503, contentType: "application/json", body: '{"message": "busy"}' });
  const [mine, whose] = ["What others see", `Picture of ${plan.user}`];
  await signIn(page, context, plan.manager, (selector) => page.click(selector));
  await page.click("#others summary");

  // Another person is asked for while the picture is being made smaller.
  await find(page);
  await says(page, "");
  await page.evaluate(() => {
    const made = HTMLCanvasElement.prototype.toBlob;
    HTMLCanvasElement.prototype.toBlob = function (...all) {
      HTMLCanvasElement.prototype.toBlob = made;
      globalThis.goOn = () => made.apply(this, all);
    };
  });
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await put(page, "red");
  await page.waitForFunction(() => globalThis.goOn);
  await press(page, "#own");
  await page.evaluate(() => globalThis.goOn());
  const { pathname } = new URL((await sent).url());
  if (pathname !== `/management/v1/users/${plan.user}/avatar`) told.faults.push(`somebody else's picture went to ${pathname}`);
  await says(page, "saved");
  await expect(page, "saved", { whose, picture: "red", remove: true });

  // The delete is pressed while an upload runs.
  const upload = await hold(page, "POST", theirs);
  await page.focus("#remove");
  await put(page, "red");
  await upload.held;
  await page.keyboard.press("Enter");
  await expect(page, "during an upload", { dialogs: 0, focus: "remove", off: "true" });
  await examine(page, "during an upload");
  await upload.release();
  await says(page, "saved");
  await expect(page, "after the upload", { whose, picture: "red", focus: "file", off: "false" });

  // Somebody is asked for while somebody else's picture is read.
  const read = await hold(page, "GET", own);
  await press(page, "#own");
  await read.held;
  await expect(page, "during a read", { whose: mine, picture: "none", remove: false });
  await find(page);
  await read.release();
  await says(page, "");
  await expect(page, "after the read", { whose: mine, picture: "another", remove: false });

  // Reads that fail.
  await page.route(theirs, failing);
  await find(page);
  await says(page, "busy", "#problem");
  await expect(page, "a read that failed", { whose, picture: "none", remove: false });
  await page.unroute(theirs);
  const unreadable = (route) => route.fulfill({ contentType: "image/png", body: "no picture" });
  await page.route(own, unreadable);
  await press(page, "#own");
  await says(page, "cannot show", "#problem");
  await expect(page, "no picture", { whose: mine, picture: "none", remove: true });
  await page.unroute(own);

  // A delete that worked stays told when the read after it fails.
  await find(page);
  await says(page, "");
  await expect(page, "found", { whose, picture: "red", remove: true });
  await page.route(theirs, (route) => route.request().method() === "GET" ? failing(route) : route.fallback());
  await page.click("#remove");
  await page.click("#confirm button[value=remove]");
  await says(page, "busy", "#problem");
  await says(page, "Receipt");
  await expect(page, "deleted", { whose, picture: "none", remove: false, focus: "file" });
  await page.unroute(theirs);

  // The token ends, and somebody else signs in.
  await page.route(theirs, (route) => route.fulfill({ status: 401, contentType: "application/json", body: "{}" }));
  await find(page);
  await says(page, "expired", "#problem");
  await expect(page, "signed out", { whose: "", picture: "none", remove: false, user: "", organisation: "", signedIn: false, focus: "sign-in" });
  await context.clearCookies();
  await page.route(own, failing);
  await signIn(page, context, plan.person, (selector) => page.click(selector));
  await says(page, "busy", "#problem");
  await expect(page, "somebody else", { whose: mine, picture: "none", remove: false, user: "" });

  // What is dropped beside the place for it.
  const caught = await page.evaluate(() => ["dragover", "drop"].map((name) => {
    const moved = new DataTransfer();
    moved.items.add(new File(["x"], "a.png", { type: "image/png" }));
    return !document.querySelector("h1").dispatchEvent(new DragEvent(name, { dataTransfer: moved, bubbles: true, cancelable: true }));
  }));
  if (caught.join() !== "true,true") told.faults.push(`the browser opens a file that is dropped beside the place for it: ${caught}`);
  await expect(page, "dropped beside", { dialogs: 0 });
}

// slow makes the time limits of a page the test's to decide.
const slow = (page) => page.addInitScript(() => {
  const ends = [];
  AbortSignal.timeout = () => {
    const end = new AbortController();
    ends.push(end);
    return end.signal;
  };
  globalThis.endTime = () => {
    for (const end of ends.splice(0)) end.abort(new DOMException("", "TimeoutError"));
  };
});

// left signs out while a call runs, at a provider that does not answer, and at one that has no place for it.
async function left(page, context) {
  const own = /\/assets\/v1\/users\/me\/avatar/;
  await slow(page);
  await page.reload();
  const endpoint = await page.evaluate(() => JSON.parse(document.querySelector("#settings").textContent).signIn.revocationUrl);
  const enter = () => signIn(page, context, plan.person, (selector) => page.click(selector));
  const gone = { whose: "", picture: "none", remove: false, signedIn: false, focus: "sign-in" };

  // An upload runs, whose answer comes when nobody is signed in any more.
  await enter();
  const upload = await hold(page, "POST", own);
  await put(page, "red");
  await upload.held;
  await page.click("#sign-out");
  await says(page, "the provider has ended");
  await expect(page, "signed out during an upload", gone);
  await upload.release();
  await context.clearCookies();
  await enter();
  await expect(page, "after an upload that was given up", { picture: "another", remove: true });

  // Neither the server nor the provider answers in time.
  const read = await hold(page, "GET", own);
  await page.click("#others summary");
  await page.click("#own");
  await read.held;
  await page.evaluate(() => globalThis.endTime());
  await says(page, "did not answer within a minute", "#problem");
  await read.release();
  const revocation = await hold(page, "POST", endpoint);
  await page.click("#sign-out");
  await revocation.held;
  await expect(page, "while the provider is asked", gone);
  await page.evaluate(() => globalThis.endTime());
  await says(page, "did not end what it was allowed");
  await revocation.release();

  // There is no place for it.
  await page.route(plan.url + "/", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace(JSON.stringify(endpoint), '""') });
  });
  await page.reload();
  await context.clearCookies();
  await enter();
  await page.click("#sign-out");
  await says(page, "offers no way");
  await expect(page, "at a provider without revocation", gone);
}

// refused signs in at a provider whose token endpoint is away, answers with a page, or is slow.
async function refused(page, context) {
  const endpoint = await page.evaluate(() => JSON.parse(document.querySelector("#settings").textContent).signIn.tokenUrl);
  const begin = async (person) => {
    await context.clearCookies();
    const opened = context.waitForEvent("page");
    await page.click("#sign-in");
    const login = await opened;
    await login.click(`button[value="${person}"]`);
  };
  const said = (words) => page.waitForFunction((words) => document.querySelector("#problem").textContent.includes(words), words);
  // An answer that names another provider, and one that says nothing.
  for (const [sent, words] of [["iss=https%3A%2F%2Fother.example&code=x", "Sie nennt https://other.example."], ["x=y", "nicht versteht (no code)"]]) {
    await page.evaluate(() => {
      const open = window.open;
      globalThis.opened = null;
      window.open = (address) => {
        window.open = open;
        return globalThis.opened = new URL(address);
      };
    });
    await page.click("#sign-in");
    await page.waitForFunction(() => globalThis.opened);
    await page.evaluate((sent) =>
      new BroadcastChannel("avatard-sign-in").postMessage(`?state=${globalThis.opened.searchParams.get("state")}&${sent}`), sent);
    await said(words);
  }
  await page.route(endpoint, (route) => route.abort());
  await begin(plan.person);
  await said("Der Anbieter ist nicht erreichbar");
  await page.unroute(endpoint);
  await page.route(endpoint, (route) => route.fulfill({ contentType: "text/html", headers: { "Access-Control-Allow-Origin": "*" }, body: "<p>" }));
  await begin(plan.person);
  await said("die diese Seite nicht versteht (200)");
  await page.unroute(endpoint);
  // The one that is begun last counts.
  const slow = await hold(page, "POST", endpoint);
  await begin(plan.person);
  await slow.held;
  const first = page.waitForRequest((request) => request.method() === "GET" && request.url().includes("/users/me/avatar"));
  await begin(plan.manager);
  const { authorization } = await (await first).allHeaders();
  await says(page, "");
  const answered = page.waitForEvent("requestfinished", (request) => request.url() === endpoint);
  await slow.release();
  await answered;
  await page.click("#others summary");
  const next = page.waitForRequest((request) => request.method() === "GET" && request.url().includes("/users/me/avatar"));
  await page.click("#own");
  if ((await (await next).allHeaders()).authorization !== authorization) told.faults.push("a sign-in that was given up took the place of the later one");
  await says(page, "");
}

async function use() {

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
    await signOut(page, (selector) => page.click(selector));
  });
  // With the keyboard alone, on a telephone, in the dark.
  await view({ viewport: { width: 390, height: 800 }, colorScheme: "dark", locale: "de-DE" }, async (page, context) => {
    told.german = await page.title();
    await examine(page, "dark");
    const press = keys(page);
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
    await signOut(page, press);
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
}

// disorder presses while a call runs, and lets answers fail: no picture goes to, or stands under, the name of somebody else.
async function disorder() {
  await view({ viewport: { width: 1200, height: 900 }, locale: "en-GB" }, apart, true);
  await view({ viewport: { width: 1200, height: 900 }, locale: "de-DE" }, refused, true);
  await view({ viewport: { width: 1200, height: 900 }, locale: "en-GB" }, left, true);
}

try {
  await (plan.disorder ? disorder() : use());
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
