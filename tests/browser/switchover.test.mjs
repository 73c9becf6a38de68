// Two people carry a switchover through in browsers, on real clusters, from a demo that has just been started.
//
// Every page on the way is checked by axe, and nothing may reach the console as an error.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { assertAccessible } from "./accessible.mjs";
import { Demo } from "./demo.mjs";

const PASSWORD = "muster-demo-only";

let demo;
let browser;

before(async () => {
  demo = await Demo.start();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "chromium",
    args: ["--no-sandbox"],
  });
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** A browser of one person, signed in by the form. */
async function signIn(name, options = {}) {
  const context = await browser.newContext({ baseURL: demo.url, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("request", (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) page.leaving = true;
  });
  page.on("domcontentloaded", () => (page.leaving = false));
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    // What a live page was still asking for when it was left is not an error anybody meets.
    if (page.leaving && message.text().includes("Failed to fetch")) return;
    page.errors.push(message.text());
  });
  page.setDefaultTimeout(30_000);
  await page.goto("/");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: /sign in/i }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  return page;
}

/** Kept for documents and for looking at, where `MUSTER_SCREENSHOTS` names a directory. */
async function picture(page, name, options = {}) {
  const dir = process.env.MUSTER_SCREENSHOTS;
  if (dir) await page.screenshot({ path: `${dir}/${name}.png`, ...options });
}

/** Reloads until a locator is there: what people do while a survey settles. */
async function reloadUntil(page, locator, withinMs) {
  const until = Date.now() + withinMs;
  while (!(await locator.isVisible())) {
    assert.ok(Date.now() < until, `not within ${withinMs} ms on ${page.url()}: ${await page.innerText("main")}`);
    await page.waitForTimeout(1000);
    await page.reload();
  }
}

test("two people switch the pair back to eu-west", { timeout: 420_000 }, async () => {
  const olga = await signIn("olga");
  await assertAccessible(olga, "fleet");
  for (const about of ["/api", "/api/reference/runs"]) {
    await olga.goto(about);
    await assertAccessible(olga, about);
  }
  await olga.goto("/");
  await olga.locator("a[href='/pairs/orders']").first().click();
  await olga.waitForURL("**/pairs/orders");

  const plan = olga.locator("#plan button.primary");
  await reloadUntil(olga, plan, 120_000);
  await assertAccessible(olga, "pair");
  await picture(olga, "pair");
  await plan.click();
  await olga.waitForURL("**/plans/*");
  await assertAccessible(olga, "plan");
  await olga.getByLabel(/^Why/).fill("Back home after the drill");
  await olga.locator("form[action$='/request'] button.primary").click();
  await olga.waitForURL("**/runs/*");
  const run = new URL(olga.url()).pathname;

  // Whoever asked cannot approve.
  await olga.goto(`${run}/approval`);
  await olga.getByText("You cannot decide").waitFor();

  const anton = await signIn("anton");
  await anton.goto(`${run}/approval`);
  await assertAccessible(anton, "approval");
  const accept = anton.locator("input[name='accept']");
  if (await accept.count()) await accept.check();
  await anton.locator("button.primary", { hasText: "Approve" }).click();
  await anton.waitForURL(`**${run}`);

  await olga.goto(`${run}/start`);
  await assertAccessible(olga, "confirm start");
  const typed = olga.locator("input[name='typed']");
  if (await typed.count()) await typed.fill("orders");
  await olga.locator(`form[action='${run}/start'] button`).click();
  await olga.waitForURL(`**${run}`);

  // The final go stands before the fence; the page shows it without a reload.
  const go = olga.locator(`form[action='${run}/confirm'] button`);
  await go.waitFor({ timeout: 120_000 });
  await assertAccessible(olga, "run that waits");
  await go.click();

  // Somebody without JavaScript follows by reloading.
  const vera = await signIn("vera", { javaScriptEnabled: false });
  await vera.goto(run);
  await reloadUntil(vera, vera.getByText("Succeeded.", { exact: true }), 180_000);

  // The watcher's page came to the same end by itself.
  await olga.getByText("Succeeded.", { exact: true }).waitFor({ timeout: 60_000 });
  await assertAccessible(olga, "ended run");
  // An ended run's page asks for nothing any more.
  await olga.waitForLoadState("networkidle");
  await picture(olga, "run");
  await olga.goto(`${run}/report`);
  await assertAccessible(olga, "report");
  assert.match(await olga.innerText("main"), /0 records lost/i);
  await olga.goto("/runs");
  await assertAccessible(olga, "runs");
  await olga.goto("/");
  await picture(olga, "fleet");

  const after = await demo.addressBook("orders");
  assert.equal(after.producers.cluster, "eu-west");
  for (const page of [olga, anton]) assert.deepEqual(page.errors, []);
});
