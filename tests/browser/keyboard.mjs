// Somebody without a mouse: Tab, Enter and letters. Wherever the focus comes it is seen, it goes down the page, and it goes on.

import assert from "node:assert/strict";

/** More stops than any page of these tests has. */
const MOST = 400;

/** Goes from one stop to the next until `wanted` has the focus. */
async function tabTo(page, wanted) {
  for (let stops = 0; stops < MOST; stops += 1) {
    await page.keyboard.press("Tab");
    const stop = await stopOf(page);
    assert.ok(stop, `the page ended before ${wanted}`);
    assertSeen(stop, page);
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`${MOST} stops, and none of them was ${wanted}`);
}

/** Goes to a link or button, once it is there, and uses it. */
export async function press(page, wanted, leadsTo) {
  await wanted.waitFor({ timeout: 300_000 });
  await tabTo(page, wanted);
  await page.keyboard.press("Enter");
  await page.waitForURL(leadsTo);
}

/** Goes to a field and fills it in. */
export async function write(page, field, text) {
  await tabTo(page, field);
  await page.keyboard.type(text);
}

/** Goes through the whole page that has just been opened: it begins with the link past the navigation, and it ends. */
export async function assertNothingTraps(page) {
  for (let stops = 0; stops < MOST; stops += 1) {
    await page.keyboard.press("Tab");
    const stop = await stopOf(page);
    if (stops === 0) assert.ok(stop?.skips, `the first stop is ${stop?.what}`);
    // Past the last stop the focus leaves the page, or begins anew.
    if (stop === null || (stops > 0 && stop.skips)) return;
    assertSeen(stop, page);
  }
  assert.fail(`${page.url()} does not end after ${MOST} stops`);
}

/** The first stop of a page that has just been opened leads past the navigation. */
export async function skipToContent(page) {
  await tabTo(page, page.locator("a.skip"));
  await page.keyboard.press("Enter");
  await page.locator("#main:focus").waitFor();
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.closest("main") !== null), "the next stop is in the content");
}

function assertSeen(stop, page) {
  assert.ok(stop.drawn, `${page.url()}: nothing shows that ${stop.what} has the focus`);
  assert.ok(stop.onScreen, `${page.url()}: ${stop.what} has the focus, and is not on the screen`);
  assert.ok(stop.further, `${page.url()}: ${stop.what} comes after something that stands below it`);
}

/** What has the focus; nothing when it has left the page. */
function stopOf(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const before = globalThis.stoppedAt;
    globalThis.stoppedAt = element;
    const { top, bottom, left, right } = element.getBoundingClientRect();
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const said = (element.getAttribute("aria-label") ?? element.textContent).trim().slice(0, 60);
    return {
      what: `${element.tagName.toLowerCase()} “${said}”`,
      skips: element.matches("a.skip"),
      drawn: element.matches(":focus-visible") && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
      onScreen: right > left && bottom > top && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth,
      // Of what is gone by now nothing can be said.
      further: !before?.isConnected || Boolean(before.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING),
    };
  });
}
