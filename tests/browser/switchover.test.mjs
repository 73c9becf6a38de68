// Two people carry a switchover through in browsers, on real clusters, from a demo that has just been started; then every
// page there is gets looked at, with what the switchover left behind, on paper, too, and used without a mouse and on bad lines.
//
// Every page on the way is checked by axe in both schemes, and nothing may reach the console as an error.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { Demo, freePort, required } from "./demo.mjs";
import { assertFollows, assertNotLoadedAgain, assertSaysThatItIsOld, markLoaded } from "./followed.mjs";
import { assertNothingTraps, press, skipToContent, write } from "./keyboard.mjs";
import { Line } from "./line.mjs";
import { look, lookPrinted } from "./looks.mjs";
import { Muster } from "./muster.mjs";

const PASSWORD = "muster-demo-only";
/** For a page, or what the next turn of a loop brings: longer than any machine takes on which it comes at all. */
const PATIENCE_MS = 120_000;
/** For what comes of several surveys, or of a whole run. */
const LONG_MS = 300_000;

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

/** A browser of one person, who has still to sign in. */
async function open(options = {}) {
  const context = await browser.newContext({ baseURL: demo.url, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
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
  await page.goto("/");
  return page;
}

/** A browser of one person, signed in by the form. */
async function signIn(name, options = {}) {
  const page = await open(options);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: /sign in/i }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  return page;
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

/** Checks that may be unknown for a survey or two: of a canary that was not measured yet since the move, and of what moves between two surveys. */
const SOON_KNOWN = ["canary", "flow-moving", "survey-fresh"];

/** Plans when the pair is ready; the button that asks for the run. A plan is made from what is so at its moment, which may be less than what the
 * page showed a survey before: then people read what is in the way and plan again. */
async function planWhenReady(page, plan) {
  const pair = page.url();
  const request = page.locator("form[action$='/request'] button.primary");
  for (let left = 3; ; left--) {
    await reloadUntil(page, page.getByText(/^Ready/).first(), LONG_MS);
    await plan.click();
    await page.waitForURL("**/plans/*");
    if (await request.isVisible()) return request;
    const { blockers } = await (await page.request.get(`/api/v1${new URL(page.url()).pathname}`)).json();
    const inTheWay = JSON.stringify(blockers);
    process.stderr.write(`# in the way of a plan: ${inTheWay}\n`);
    const passes = blockers.length > 0 && blockers.every(({ code }) => SOON_KNOWN.includes(code));
    assert.ok(passes && left > 0, `nothing is in the way of a plan: ${inTheWay}`);
    await page.goto(pair);
  }
}

test("two people switch the pair back to eu-west", { timeout: 2_400_000 }, async () => {
  const olga = await signIn("olga");
  await look(olga, "walk-1-fleet");
  await olga.locator("a[href='/pairs/orders']").first().click();
  await olga.waitForURL("**/pairs/orders");

  const plan = olga.locator("#plan button.primary");
  await reloadUntil(olga, plan, LONG_MS);
  await look(olga, "walk-2-pair");
  const request = await planWhenReady(olga, plan);
  await look(olga, "walk-3-plan");
  await olga.getByLabel(/^Why/).fill("Back home after the drill");
  await request.click();
  await olga.waitForURL("**/runs/*");
  const run = new URL(olga.url()).pathname;

  // Whoever asked cannot approve.
  await olga.goto(`${run}/approval`);
  await olga.getByText("You cannot decide").waitFor();
  await look(olga, "walk-4-approval-of-ones-own");

  const anton = await signIn("anton");
  await anton.goto(`${run}/approval`);
  await look(anton, "walk-5-approval");
  const accept = anton.locator("input[name='accept']");
  if (await accept.count()) await accept.check();
  await anton.locator("button.primary", { hasText: "Approve" }).click();
  await anton.waitForURL(`**${run}`);

  await olga.goto(`${run}/start`);
  await look(olga, "walk-6-start");
  const typed = olga.locator("input[name='typed']");
  if (await typed.count()) await typed.fill("orders");
  await olga.locator(`form[action='${run}/start'] button`).click();
  await olga.waitForURL(`**${run}`);

  // The final go stands before the fence; the page shows it without a reload.
  const go = olga.locator(`form[action='${run}/confirm'] button`);
  await go.waitFor({ timeout: LONG_MS });
  await look(olga, "walk-7-run-that-waits");
  await go.click();

  // Somebody without JavaScript follows by reloading.
  const vera = await signIn("vera", { javaScriptEnabled: false });
  await vera.goto(run);
  await reloadUntil(vera, vera.getByText("Succeeded.", { exact: true }), LONG_MS);

  // The watcher's page came to the same end by itself.
  await olga.getByText("Succeeded.", { exact: true }).waitFor();
  // An ended run's page asks for nothing any more.
  await olga.waitForLoadState("networkidle");
  await look(olga, "walk-8-ended-run");
  await olga.goto(`${run}/report`);
  await look(olga, "walk-9-report");
  assert.match(await olga.innerText("main"), /0 records lost/i);
  const after = await demo.addressBook("orders");
  assert.equal(after.producers.cluster, "eu-west");
  for (const page of [olga, anton]) assert.deepEqual(page.errors, []);
});

/** Addresses that answer no page of their own, or of something that is made elsewhere. Each must still be in the table of routes. */
const NO_PAGE = {
  "/pairs": "leads to the fleet",
  "/runs/{run}/live": "the part of a run's page that it fetches again",
  "/runs/{run}/events": "a stream",
  "/sign-in/oidc": "leads to the provider",
  "/reauthenticate/oidc": "leads to the provider",
  "/sign-in/oidc/callback": "comes from the provider: sign_in.test.mjs looks at it",
  "/pairs/{pair}/losses/{loss}": "of a source that stopped answering: the last test here has one do so and looks at it",
};

/** The table of routes, as the program that is tested has it: pages people open. */
function pages() {
  const { items } = JSON.parse(execFileSync(required("MUSTER_BIN"), ["routes", "--json"], { encoding: "utf8" }));
  return items.filter((route) => route.kind === "page" && route.method === "GET");
}

/** What somebody posted to the API, as their browser may too. */
async function post(page, address, data) {
  const answer = await page.request.post(`/api/v1${address}`, { data, headers: { origin: demo.url } });
  assert.ok(answer.ok(), `${address}: ${answer.status()} ${await answer.text()}`);
  return answer.json();
}

/** Something of each kind that addresses name. */
async function things(olga, oscar) {
  const { items } = await (await olga.request.get("/api/v1/runs?pair=orders")).json();
  const run = items.find((run) => run.state === "succeeded");
  assert.ok(run, "the switchover has succeeded before");
  const finding = await post(olga, "/findings", {
    pair: "orders",
    run: run.id,
    text: "Clients kept the old address for 5 minutes",
    severity: "medium",
  });
  const channel = await post(oscar, "/channels", {
    team: "payments",
    name: "room",
    kind: "slack",
    url: "https://hooks.example.com/services/T1/B1/secret",
    events: ["ended"],
  });
  const schedule = await post(oscar, "/schedules", { pair: "orders", cadence: { every: "cron", expression: "0 9 1 2 *" } });
  const token = await post(olga, "/tokens", { name: "pipeline", days: 30, scopes: ["read"] });
  // Signed in a second time, by a program.
  await post(olga, "/session", { name: "olga", password: PASSWORD });
  const { items: sessions } = await (await olga.request.get("/api/v1/sessions")).json();
  const session = sessions.find((session) => !session.this);
  assert.ok(session, "another session than the one that asks");
  return {
    "{cluster}": "eu-west",
    "{pair}": "orders",
    "{plan}": run.plan,
    "{run}": run.id,
    "{finding}": finding.id,
    "{channel}": channel.id,
    "{schedule}": schedule.id,
    "{group}": "runs",
    "{user}": "olga",
    "{team}": "payments",
    "{session}": session.id,
    "{token}": token.id,
  };
}

/** Opens a page by its row of the table, and looks at it. */
async function lookAt(page, path, who, address) {
  // A skipped step is one of the plan's.
  let answer = await page.goto(path.endsWith("/skip") ? `${address}?step=watch_groups` : address);
  if (path !== "/reauthenticate" && new URL(page.url()).pathname === "/reauthenticate") {
    // They signed in a while ago.
    await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
    await page.getByRole("button", { name: /Confirm that I am/ }).click();
    answer = await page.goto(address);
  }
  assert.equal(answer.status(), 200, `${path} for ${who}`);
  assert.equal(new URL(page.url()).pathname, address, `${path} leads elsewhere`);
  await look(page, path.replaceAll(/[{}]/g, "").slice(1).replaceAll("/", "-") || "fleet");
}

test("every page there is looks right on every screen, in both schemes", { timeout: 3_600_000 }, async () => {
  const [olga, oscar, admin] = [await signIn("olga"), await signIn("oscar"), await signIn("admin")];
  const nobody = await (await browser.newContext({ baseURL: demo.url })).newPage();
  nobody.setDefaultTimeout(PATIENCE_MS);
  const named = await things(olga, oscar);
  const routes = pages();
  for (const known of Object.keys(NO_PAGE)) {
    assert.ok(routes.some((route) => route.path === known), `${known} is no address any more`);
  }
  // All pages are looked at, however many of them are wrong.
  const wrong = [];
  for (const { path, who } of routes) {
    if (path in NO_PAGE || path === "/setup") continue;
    const unnamed = path.match(/\{\w+\}/g)?.filter((name) => !(name in named)) ?? [];
    if (unnamed.length > 0) {
      wrong.push(`${path} names a ${unnamed.join(" and a ")}, of which this test makes none`);
      continue;
    }
    const address = path.replace(/\{\w+\}/g, (name) => named[name]);
    let page = olga;
    if (who === "anyone") page = nobody;
    else if (who.startsWith("owner")) page = oscar;
    else if (who.startsWith("admin") || who === "who may read everything") page = admin;
    await lookAt(page, path, who, address).catch((error) => wrong.push(`${path}: ${error.message}`));
  }
  assert.deepEqual(wrong, []);
  for (const page of [olga, oscar, admin]) assert.deepEqual(page.errors, []);
});

test("the first page of a Muster nobody has set up looks right", { timeout: 600_000 }, async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  const muster = await Muster.start(listen, {});
  try {
    const page = await (await browser.newContext({ baseURL: `http://${listen}` })).newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    assert.equal((await page.goto("/setup")).status(), 200);
    await look(page, "setup");
  } finally {
    await muster.stop();
  }
});

test("lag over time is drawn by the server, and anew by a script that zooms", { timeout: 600_000 }, async () => {
  const olga = await signIn("olga");
  await olga.goto("/pairs/orders/lag?range=1h");
  const drawn = olga.locator(".drawn canvas");
  await drawn.first().waitFor();
  assert.equal(await drawn.count(), 3, "time, records and the RPO interval");
  assert.equal(await olga.locator("svg.plot").count(), 0, "nothing is drawn twice");
  // Something is drawn: a canvas of one colour is none.
  const colours = await drawn.nth(1).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]},${data[i + 3]}`);
    return seen.size;
  });
  assert.ok(colours > 10, `${colours} colours`);
  // What is under the cursor is said in words, at every chart.
  const box = await olga.locator(".drawn .u-over").first().boundingBox();
  await olga.mouse.move(box.x + box.width * 0.95, box.y + box.height / 2);
  await olga.locator(".readout", { hasText: "UTC" }).first().waitFor();
  // Zooming offers the same time as an address.
  await olga.mouse.move(box.x + box.width * 0.9, box.y + box.height / 2);
  await olga.mouse.down();
  await olga.mouse.move(box.x + box.width * 0.999, box.y + box.height / 2, { steps: 8 });
  await olga.mouse.up();
  const closer = olga.locator("a.closer").first();
  await closer.waitFor();
  await closer.click();
  await olga.waitForURL("**/pairs/orders/lag?*from=*");
  await drawn.first().waitFor();
  await look(olga, "lag-zoomed");
  assert.deepEqual(olga.errors, []);

  const vera = await signIn("vera", { javaScriptEnabled: false });
  await vera.goto("/pairs/orders/lag?range=1h");
  assert.equal(await vera.locator("svg.plot").count(), 3);
  assert.equal(await vera.locator("canvas").count(), 0);
  assert.equal(await vera.locator("svg.plot > title").nth(1).textContent(), "Records behind of all topics");
  assert.match(await vera.locator("svg.plot > desc").nth(1).textContent(), /^Highest [\d,]+ records? at/);
  assert.ok((await vera.locator("svg.cells rect").count()) > 0, "the partitions are drawn");
});

test("fleet and pair follow by themselves, and say when they cannot", { timeout: 900_000 }, async () => {
  const olga = await signIn("olga");
  await assertFollows(olga, "/");
  await assertFollows(olga, "/pairs/orders");
  assert.deepEqual(olga.errors, []);
  await olga.goto("/?hold=on");
  assert.equal(await olga.locator("[data-read-at]").count(), 0, "it is held still");
  await olga.getByRole("link", { name: "follow", exact: true }).click();
  await olga.locator("#fleet-live[data-read-at]").waitFor();
  // Browsers call every one of these an error.
  await assertSaysThatItIsOld(olga, () => look(olga, "fleet-not-refreshed"));
});

/** Plans a drill that only looks, and asks for its run, which nobody has to approve. The address of the run. */
async function askForReadinessDrill(page) {
  await page.goto("/pairs/orders");
  await page.getByRole("button", { name: "Plan a readiness drill of orders" }).click({ timeout: LONG_MS });
  await page.waitForURL("**/plans/*");
  await page.getByLabel(/^Why/).fill("To see it followed");
  await page.locator("form[action$='/request'] button.primary").click();
  await page.waitForURL("**/runs/*");
  return new URL(page.url()).pathname;
}

test("a run whose stream is cut is followed by asking, and its page says so", { timeout: 1_200_000 }, async () => {
  const olga = await signIn("olga");
  const run = await askForReadinessDrill(olga);
  const line = await Line.open(demo.url);
  try {
    // The same browser by another way: cookies know no ports.
    const far = await olga.context().newPage();
    await far.goto(`${line.url}${run}`);
    await markLoaded(far);
    await line.streaming;
    line.cut();
    await far.getByRole("status").filter({ hasText: "the stream is cut. They are asked for every 5 s" }).waitFor();
    assert.equal(await far.locator("#run-live .step.done").count(), 0);
    await post(olga, `${run}/start`);
    await far.locator("#run-live .step.done").first().waitFor();
    await assertNotLoadedAgain(far);
    await far.close();
  } finally {
    await line.close();
  }
  // The other page is told by its stream, and comes to the end as well.
  await olga.locator("#run-live .step.done").first().waitFor();
  assert.deepEqual(olga.errors, []);
});

test("somebody without a mouse signs in, plans a drill, confirms it and starts it", { timeout: 1_200_000 }, async () => {
  const olga = await open();
  await write(olga, olga.getByLabel("Name"), "olga");
  await write(olga, olga.getByLabel("Password"), PASSWORD);
  await olga.keyboard.press("Enter");
  await olga.locator("#fleet-live").waitFor();
  await assertNothingTraps(olga);

  await olga.goto("/");
  await skipToContent(olga);
  await press(olga, olga.locator("tbody th a[href='/pairs/orders']"), "**/pairs/orders");
  await press(olga, olga.getByRole("button", { name: "Plan a readiness drill of orders" }), "**/plans/*");
  await write(olga, olga.getByLabel(/^Why/), "By hand");
  await press(olga, olga.locator("form[action$='/request'] button.primary"), "**/runs/*");
  const run = new URL(olga.url()).pathname;
  await press(olga, olga.locator(`a.btn[href='${run}/start']`), `**${run}/start`);
  await write(olga, olga.locator("input[name='typed']"), "orders");
  await press(olga, olga.locator(`form[action='${run}/start'] button`), `**${run}`);
  await olga.locator("#run-live .step").first().waitFor();
  assert.deepEqual(olga.errors, []);
});

test("a report and a plan print only what they say, and all of it", { timeout: 600_000 }, async () => {
  const olga = await signIn("olga");
  const { items } = await (await olga.request.get("/api/v1/runs?pair=orders")).json();
  const run = items.find((run) => run.state === "succeeded");
  assert.ok(run, "the switchover has succeeded before");
  await olga.goto(`/runs/${run.id}/report`);
  await lookPrinted(olga, "report");
  await olga.goto(`/plans/${run.plan}`);
  assert.ok((await olga.locator("details").count()) > 2, "a plan has more than one reads at first");
  await lookPrinted(olga, "plan");
});

test("a source that stops answering is a statement with the way on, and the true figure comes beside it", { timeout: 2_400_000 }, async () => {
  const olga = await signIn("olga");
  await olga.goto("/pairs/orders/losses");
  const statements = olga.locator("tbody th a[href^='/pairs/orders/losses/']");
  const before = await statements.count();
  // The switchover has brought it back to eu-west.
  const broker = await demo.pid("eu-west");
  process.kill(broker, "SIGSTOP");
  try {
    await reloadUntil(olga, statements.nth(before), LONG_MS);
    await look(olga, "losses-while-away");
    await statements.first().click();
    await olga.waitForURL("**/pairs/orders/losses/*");
    await olga.getByText("not known yet", { exact: true }).first().waitFor();
    await olga.getByRole("heading", { name: "What now" }).waitFor();
    await look(olga, "loss-while-away");
    await lookPrinted(olga, "loss-while-away");
    const statement = new URL(olga.url()).pathname;
    await olga.goto("/");
    const problem = olga.locator(`#problems a[href='${statement}']`);
    await reloadUntil(olga, problem, LONG_MS);
    await press(olga, problem, `**${statement}`);
  } finally {
    process.kill(broker, "SIGCONT");
  }
  await reloadUntil(olga, olga.getByText("Said: nothing is looked at again."), LONG_MS);
  assert.equal(await olga.getByText("not known yet", { exact: true }).count(), 0);
  await look(olga, "loss-with-the-true-figure");
  await lookPrinted(olga, "loss-with-the-true-figure");

  // Somebody without JavaScript finds the same, and where a group stood when it happened.
  const vera = await signIn("vera", { javaScriptEnabled: false });
  await vera.goto(new URL(olga.url()).pathname);
  await vera.getByRole("link", { name: "See where a group stood" }).click();
  await vera.waitForURL("**/pairs/orders/recorded?*at=*");
  const offered = await vera.locator("datalist option").first().getAttribute("value");
  await vera.getByLabel("Group", { exact: true }).fill(offered);
  await vera.getByRole("button", { name: "Show positions" }).click();
  await vera.getByRole("group", { name: `Positions of ${offered}, table` }).waitFor();
  await olga.goto(vera.url());
  await look(olga, "recorded-of-a-group");
  for (const page of [olga, vera]) assert.deepEqual(page.errors, []);
});
