// What pages do. The driver, browser.js, calls these functions.

import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { connectClient } from "./connect.js";
import { grpcWebClient } from "./grpcweb.js";
import { follow } from "./report.js";
import { restClient } from "./rest.js";

/** Makes every kind of client follow the plan and returns its lines. */
async function removals(plan) {
  const baseUrl = plan.url;
  const lines = [];
  for (const client of [
    restClient("fetch", baseUrl),
    connectClient("connect-web Connect JSON", createConnectTransport({ baseUrl })),
    connectClient("connect-web Connect", createConnectTransport({ baseUrl, useBinaryFormat: true })),
    connectClient("connect-web gRPC-Web", createGrpcWebTransport({ baseUrl })),
    grpcWebClient("grpc-web binary", baseUrl, "binary"),
    grpcWebClient("grpc-web text", baseUrl, "text"),
  ]) {
    await follow(client, plan, (line) => lines.push(line));
  }
  return lines;
}

/** Sends requests as they are given and returns what the page can see of each answer. */
async function requests(plan) {
  const answers = [];
  for (const { step, method, path, headers, image, garbage } of plan.requests) {
    const answer = { step };
    try {
      const body = image ? form(await drawing(image)) : garbage ? form(new Blob([new Uint8Array(garbage)])) : undefined;
      const res = await fetch(plan.url + path, { method, headers, body });
      answer.status = res.status;
      answer.headers = Object.fromEntries(res.headers);
      answer.body = answer.headers["content-type"]?.startsWith("image/") ? await sizeOf(res) : await res.text();
    } catch (err) {
      answer.failed = String(err);
    }
    answers.push(answer);
  }
  return answers;
}

function form(blob) {
  const form = new FormData();
  form.set("file", blob, "avatar.png");
  return form;
}

/** A square of one colour, in PNG. */
function drawing(side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.fillStyle = "teal";
  context.fillRect(0, 0, side, side);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function sizeOf(res) {
  const picture = await createImageBitmap(await res.blob());
  return `${picture.width} x ${picture.height}`;
}

/** Decodes pictures and returns the pixels of each in sRGB, four bytes a pixel. Bytes come and go in base64. */
async function pixels(pictures) {
  const shown = [];
  for (const { data } of pictures) {
    const picture = await (await fetch(`data:image/png;base64,${data}`)).blob(); // which kind it is, is found by content
    const bitmap = await createImageBitmap(picture);
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { colorSpace: "srgb" });
    context.drawImage(bitmap, 0, 0);
    const bytes = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
    shown.push(btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), "")));
  }
  return shown;
}

globalThis.clients = { pixels, removals, requests };
