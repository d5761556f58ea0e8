// The API reference: tabs, values that are filled in, and calls. It works without, as one long page.
import { settings, signIn } from "/web/signin.js";

const problems = {
  signInMissing: "This server has no sign-in for pages (page.client_id), or its provider is away.",
  signInInsecure: "Signing in needs https, or a loopback address.",
  signInRefused: "The provider refused:",
  signInNoAnswer: "The provider cannot be reached, or does not let this page read its answers (CORS).",
  signInSlow: "The provider did not answer in 30 seconds. Try again.",
  signInOther: "The answer is not from the provider that was asked. It names itself",
  signInUnclear: "The provider's answer is not understood:",
  signInAnew: "Another sign-in was begun.",
  signInLate: "Nobody signed in.",
  signInBlocked: "The browser blocked the window for signing in. Allow it for this page.",
};

// Where the page came from is where the API is, whatever is between the server and here.
const values = { url: location.origin, host: location.host, token: "", ...settings.values };
values.plaintext = location.protocol === "http:" ? "-plaintext " : "";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Tabs as the ARIA authoring practices have them: arrow keys, Home and End move, one tab stop.
function makeTabs(group, number) {
  const panels = all(":scope > .panel", group);
  const list = document.createElement("div");
  list.role = "tablist";
  list.ariaLabel = group.dataset.tabs;
  const tabs = panels.map((panel, i) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.role = "tab";
    tab.textContent = panel.dataset.tab;
    tab.id = `tab-${number}-${i}`;
    panel.id = `panel-${number}-${i}`;
    panel.role = "tabpanel";
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => show(i));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = (to + tabs.length) % tabs.length;
      show(next);
      tabs[next].focus();
    });
    return tab;
  });
  function show(chosen) {
    tabs.forEach((tab, i) => {
      tab.ariaSelected = String(i === chosen);
      tab.tabIndex = i === chosen ? 0 : -1;
      panels[i].hidden = i !== chosen;
    });
  }
  list.append(...tabs);
  group.prepend(list);
  if (tabs.length > 0) show(0);
}

// Inputs with one meaning are kept the same, and what stands in the samples follows.
function fill() {
  const shown = document.querySelector("#show-token").checked && values.token;
  for (const place of all("[data-value]")) {
    const name = place.dataset.value;
    place.textContent = name === "token" && !shown ? "TOKEN" : values[name];
  }
}

function keepInStep() {
  for (const input of all("input[data-fill]")) {
    const name = input.dataset.fill;
    if (name !== "organization") input.value = values[name] ?? "";
    input.addEventListener("input", () => {
      if (name !== "organization") {
        values[name] = input.value;
        for (const other of all(`input[data-fill="${name}"]`)) if (other !== input) other.value = input.value;
      }
      fill();
    });
  }
  const token = document.querySelector("#token");
  token.addEventListener("input", () => {
    values.token = token.value.trim();
    fill();
  });
  document.querySelector("#show-token").addEventListener("change", fill);
  document.querySelector("#token-form").addEventListener("submit", (event) => event.preventDefault());
}

function offerSignIn() {
  const button = document.querySelector("#authorize");
  const state = document.querySelector("#authorized");
  if (!settings.clientId) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    state.textContent = "Waiting for the sign-in in the other window …";
    try {
      values.token = (await signIn()).access_token;
      document.querySelector("#token").value = values.token;
      state.textContent = "Signed in. The token is kept in this page only.";
    } catch (error) {
      state.textContent = `${problems[error.problem] ?? error.message} ${error.detail ?? ""}`.trim();
    }
    fill();
  });
}

// The newest call of each form: an answer that comes behind a later one is not shown.
const newest = new Map();

async function send(section, form) {
  const output = form.querySelector("output");
  output.replaceChildren("…");
  let path = section.dataset.path;
  for (const input of all("input[data-fill]", form)) {
    path = path.replace(`{${input.dataset.fill}}`, encodeURIComponent(input.value));
  }
  const headers = {};
  if (values.token && section.dataset.open === undefined) headers.Authorization = `Bearer ${values.token}`;
  const organization = form.querySelector("[data-fill=organization]")?.value;
  if (organization) headers["x-zitadel-orgid"] = organization;
  let body;
  if (section.dataset.upload) {
    body = new FormData();
    body.append(section.dataset.upload, form.querySelector("input[type=file]").files[0]);
  }
  const call = {};
  newest.set(form, call);
  let shown;
  try {
    shown = await describe(await fetch(path, { method: section.dataset.method, headers, body, cache: "no-store" }));
  } catch (error) {
    shown = [`No answer: ${error.message}`];
  }
  if (newest.get(form) === call) output.replaceChildren(...shown);
}

// describe returns what is shown of an answer: its status and header in any case.
async function describe(answer) {
  const title = document.createElement("p");
  title.className = "answer";
  title.textContent = `${answer.status} ${answer.statusText}`;
  const head = document.createElement("pre");
  head.tabIndex = 0;
  head.textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const type = answer.headers.get("content-type") ?? "";
  return [title, head, type.startsWith("image/") ? await pictureOf(answer) : await textOf(answer, type)];
}

async function pictureOf(answer) {
  let picture;
  try {
    picture = await createImageBitmap(await answer.blob());
  } catch {
    return "This browser cannot show the picture.";
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  canvas.role = "img";
  canvas.ariaLabel = "The picture";
  return canvas;
}

async function textOf(answer, type) {
  const body = document.createElement("pre");
  body.tabIndex = 0;
  body.textContent = await answer.text();
  if (type.startsWith("application/json")) {
    try {
      body.textContent = JSON.stringify(JSON.parse(body.textContent), null, 2);
    } catch {
      // It is shown as it came.
    }
  }
  return body;
}

// innermost first: a hidden panel's tabs are made as well
all(".tabs").reverse().forEach(makeTabs);
keepInStep();
offerSignIn();
fill();
for (const form of all(".try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form.closest("section"), form);
  });
}
if (location.hash) document.querySelector(`#${CSS.escape(decodeURIComponent(location.hash.slice(1)))}`)?.scrollIntoView();
