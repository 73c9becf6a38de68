// A page that follows by itself: it shows what is new without being loaded again, leaves alone what somebody does on it, asks for
// nothing while nobody looks, and says since when it is old when it cannot follow.

import assert from "node:assert/strict";

/** Opens the page and stays on it until it has followed. */
export async function assertFollows(page, address) {
  await page.goto(address);
  // A small window, so that there is something to scroll.
  await page.setViewportSize({ width: 1000, height: 400 });
  await markLoaded(page);
  const table = page.locator("main details.data, main details.fold").first();
  await table.locator("summary").click();
  const typed = page.locator("main input[type='number']");
  if (await typed.count()) await typed.first().fill("77");
  // A row may move meanwhile, and the focus goes with it.
  const link = await page.locator("main tbody th a").first().elementHandle();
  await link.focus();
  await page.evaluate(() => scrollTo(0, 150));

  await readAgain(page);
  await assertNotLoadedAgain(page);
  assert.notEqual(await table.getAttribute("open"), null, "what was unfolded is unfolded");
  if (await typed.count()) assert.equal(await typed.first().inputValue(), "77", "what was typed is there");
  assert.ok(await link.evaluate((element) => element === document.activeElement), "the focus is where it was");
  assert.ok((await page.evaluate(() => scrollY)) > 0, "the page is scrolled as it was");
  await assertRestsUnseen(page);
  await page.setViewportSize({ width: 1280, height: 800 });
}

/** Whatever the reason: the page keeps what it shows, says since when that is old, and follows again afterwards. */
export async function assertSaysThatItIsOld(page, whileItDoes = async () => {}) {
  const context = page.context();
  const shown = await page.locator("main h1").innerText();
  await context.setOffline(true);
  await says(page, /Not refreshed since \d\d:\d\d:\d\d UTC: Muster did not answer/);
  await page.locator("#freshness .age", { hasText: /^(\d+ [hm] )*\d+ s old$/ }).waitFor();
  await whileItDoes();
  await context.setOffline(false);
  await saysNothing(page);

  await page.route("**/*", (route) => route.fulfill({ status: 503, contentType: "text/html", body: "<h1>Away</h1>" }));
  await says(page, /Not refreshed since .* Muster answered with status 503/);
  await page.unroute("**/*");
  await saysNothing(page);

  await context.clearCookies();
  await says(page, /Not refreshed since .* Muster asks you to sign in again/);
  assert.equal(await page.locator("main h1").innerText(), shown, "the page is still the same");
}

/** Notes that this is the page that was loaded. */
export async function markLoaded(page) {
  await page.evaluate(() => (globalThis.loadedOnce = true));
}

/** It is still that page. */
export async function assertNotLoadedAgain(page) {
  assert.ok(await page.evaluate(() => globalThis.loadedOnce === true), `${page.url()} was loaded again`);
}

/** Waits until the page says so. It is made to ask at once, so that nobody waits for its next turn. */
async function says(page, words) {
  await ask(page);
  await page.getByRole("status").filter({ hasText: words }).waitFor();
}

/** Waits until the page has nothing to say: it is as new as it can be. */
async function saysNothing(page) {
  await ask(page);
  await page.locator("#freshness [role='status']:empty").waitFor({ state: "attached" });
}

async function ask(page) {
  await page.evaluate(() => globalThis.htmx.trigger(document.querySelector("[data-read-at]"), "again"));
}

/** Waits until the page shows a newer reading, of its own accord. */
async function readAgain(page) {
  const before = await page.locator("#watch time").getAttribute("datetime");
  await page.locator(`#watch time:not([datetime="${before}"])`).waitFor();
}

/** While the page is hidden nothing is asked, and it is asked again once it is seen. */
async function assertRestsUnseen(page) {
  const unseen = await page.evaluate(async () => {
    const { fetch, htmx } = globalThis;
    let asked = 0;
    globalThis.fetch = (...what) => {
      asked += 1;
      return fetch(...what);
    };
    Object.defineProperty(document, "hidden", { configurable: true, value: true });
    htmx.trigger(document.querySelector("[data-read-at]"), "again");
    const whileHidden = asked;
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
    while (asked === whileHidden) await new Promise(requestAnimationFrame);
    globalThis.fetch = fetch;
    return whileHidden;
  });
  assert.equal(unseen, 0, "requests while nobody looked");
}
