// The script that draws lag anew, on data made for it: no Muster is asked, and any length of time can be shown.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const STATIC = path.resolve(import.meta.dirname, "../../static");
const FILES = { "/lag.js": "lag.js", "/uplot.js": "vendor/uplot/uplot.iife.min.js", "/uplot.css": "vendor/uplot/uplot.min.css" };
const TYPES = { ".js": "text/javascript", ".css": "text/css" };
const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lag</title><link rel="stylesheet" href="/uplot.css">
  <script src="/uplot.js" defer></script><script src="/lag.js" defer></script></head>
  <body><main id="lag" data-lag="/data"><div class="course-chart" data-draw="time"><svg class="plot"><title>Lag</title></svg></div></main></body></html>`;

let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "chromium", args: ["--no-sandbox"] });
});

after(() => browser?.close());

/** Lag over so many hours until the end of a night, with its peak in the middle. */
function lagOver(hours) {
  const to = Date.parse("2026-11-09T03:12:40Z");
  const width = (hours * 3_600_000) / 60;
  const iso = (ms) => new Date(ms).toISOString();
  const items = Array.from({ length: 61 }, (_, i) => {
    const worst = 1000 + 100 * (30 - Math.abs(30 - i));
    return { at: iso(to - (60 - i) * width), ms: { p50: 100, p99: 900, worst, class: "tight" } };
  });
  return { from: iso(to - 60 * width), to: iso(to), width_ms: width, objective_ms: 5000, items, flow: [], gaps: [], marks: [] };
}

/** The page of that lag, or of other, once the script has drawn it; what it writes into drawings is kept in `written`. */
async function open(hours, data = lagOver(hours)) {
  const page = await browser.newPage({ viewport: { width: 1000, height: 500 } });
  page.setDefaultTimeout(120_000);
  await page.addInitScript(() => {
    globalThis.written = [];
    const drawing = CanvasRenderingContext2D.prototype;
    const { fillText } = drawing;
    drawing.fillText = function (text, ...where) {
      globalThis.written.push(text);
      return fillText.call(this, text, ...where);
    };
  });
  await page.route("http://muster.test/**", (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/") return route.fulfill({ contentType: "text/html", body: PAGE });
    if (pathname === "/data") return route.fulfill({ json: data });
    const file = FILES[pathname];
    if (!file) return route.fulfill({ status: 404, body: "" });
    return route.fulfill({ contentType: TYPES[path.extname(file)], body: readFileSync(path.join(STATIC, file), "utf8") });
  });
  await page.goto("http://muster.test/");
  await page.locator(".drawn .u-over").waitFor();
  return page;
}

const SECONDS = String.raw`\d\d:\d\d:\d\d`;
const MINUTES = String.raw`\d\d:\d\d`;
const DAY = String.raw`\d{1,2} (Oct|Nov) `;

for (const [hours, moment, closer] of [
  [1, SECONDS, SECONDS],
  [24, MINUTES, MINUTES],
  [168, `${DAY}${MINUTES}`, `${DAY}${MINUTES}`],
  // Half an hour out of thirty: the day stays, and seconds come.
  [30, `${DAY}${MINUTES}`, `${DAY}${SECONDS}`],
]) {
  test(`a moment of a drawing over ${hours} h is said as the server says it`, { timeout: 600_000 }, async () => {
    const page = await open(hours);
    const written = await page.evaluate(() => globalThis.written.filter((text) => text.includes(" at ")));
    assert.match(written.at(-1) ?? "", new RegExp(`^4 s at ${moment}$`));

    const box = await page.locator(".drawn .u-over").boundingBox();
    const over = (part) => [box.x + box.width * part, box.y + box.height / 2];
    await page.mouse.move(...over(0.4));
    await page.locator(".readout", { hasText: "UTC" }).waitFor();
    assert.match(await page.locator(".readout").innerText(), new RegExp(`^${moment} UTC · `));

    await page.mouse.down();
    await page.mouse.move(...over(hours === 30 ? 0.44 : 0.8), { steps: 8 });
    await page.mouse.up();
    await page.locator("a.closer").waitFor();
    assert.match(await page.locator("a.closer").innerText(), new RegExp(`^Show lag from ${closer} to ${closer} UTC only$`));
    await page.close();
  });
}

test("hours of a topic that are not kept in time are not known, and no line goes over them", { timeout: 600_000 }, async () => {
  const kept = lagOver(168);
  const items = kept.items.map((item, i) => (i > 20 && i < 40 ? { ...item, ms: null } : item));
  const page = await open(168, { ...kept, topic: "orders", items });
  const written = await page.evaluate(() => globalThis.written);
  assert.ok(
    written.some((text) => text.endsWith("not kept, or not told yet")),
    `${written}`,
  );
  const box = await page.locator(".drawn .u-over").boundingBox();
  for (const [part, said] of [
    [0.1, /worst 1\.\d s \(tight\)/],
    [0.5, /worst not known \(unknown\)/],
  ]) {
    await page.mouse.move(box.x + box.width * part, box.y + box.height / 2);
    await page.locator(".readout", { hasText: said }).waitFor();
  }
  await page.close();
});
