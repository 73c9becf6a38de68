// How a page looks: on a desk, on a phone and on paper, in light and in dark. Nothing sticks out, axe objects to nothing, and a
// picture of each is kept in target/screenshots for people to look at.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";

import { assertAccessible, assertColours, assertReadable } from "./accessible.mjs";

const KEPT = process.env.MUSTER_SCREENSHOTS ?? path.resolve(import.meta.dirname, "../../target/screenshots");
const WIDTHS = [1280, 390];
/** A4 within the margins of the style sheet, in CSS pixels. */
const PAPER = { width: 680, height: 998 };

/** Looks at the page that is open. `name` becomes part of the pictures' file names. */
export async function look(page, name) {
  mkdirSync(KEPT, { recursive: true });
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} px wide on a screen of ${width} px`);
      await picture(page, `${name}-${colorScheme}-${width}`);
    }
  }
  // On a phone, where most can be in the way: as it was left in the dark, then whole.
  await assertRowsKeepTheirNames(page, name);
  await assertColours(page, `${name}, dark`);
  await page.emulateMedia({ colorScheme: "light" });
  await assertAccessible(page, `${name}, light`);
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: WIDTHS[0], height: 800 });
}

/** Keeps a picture of the whole page. How long a busy machine takes to draw it says nothing of the page. */
async function picture(page, name) {
  await page.screenshot({ path: path.join(KEPT, `${name}.png`), fullPage: true, timeout: 180_000 });
}

/** Wherever a table is scrolled to, what each of its rows is of stays in sight, and leaves room for the others. */
async function assertRowsKeepTheirNames(page, name) {
  const lost = await page.evaluate(() => {
    const wrong = [];
    for (const part of document.querySelectorAll(".scroll:has(> .table)")) {
      if (!part.checkVisibility() || part.scrollWidth <= part.clientWidth) continue;
      const table = part.getAttribute("aria-label");
      part.scrollLeft = part.scrollWidth;
      const { left, width } = part.getBoundingClientRect();
      for (const head of part.querySelectorAll(":scope > .table:not(.fold2) > tbody > tr > th[scope='row']:first-child")) {
        const box = head.getBoundingClientRect();
        if (Math.abs(box.left - left) > 2) wrong.push(`${table}: ${head.innerText} is scrolled away`);
        if (box.width > 0.6 * width) wrong.push(`${table}: ${head.innerText} takes ${box.width} of ${width} px`);
      }
      part.scrollLeft = 0;
    }
    return wrong;
  });
  assert.deepEqual(lost, [], `${name} on a screen of ${WIDTHS.at(-1)} px`);
}

/** Looks at the page that is open as it is printed, by somebody who reads it in the dark: only what it says, and all of it. */
export async function lookPrinted(page, name) {
  mkdirSync(KEPT, { recursive: true });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await page.setViewportSize(PAPER);
  const printed = await page.evaluate(() => {
    const shown = (selector) => [...document.querySelectorAll(selector)].filter((part) => part.checkVisibility());
    const tags = (parts) => parts.map((part) => part.outerHTML.slice(0, 120));
    const folded = shown("details").flatMap((details) => [...details.children].filter((part) => !part.checkVisibility()));
    // A few pixels: what only screen readers get has a size, too.
    const cut = shown(".scroll, .log, pre").filter((part) => part.scrollHeight > part.clientHeight + 4);
    return {
      words: document.querySelector("main").innerText.length,
      furniture: tags(shown(".bridge, .watch, .foot, .skip, .crumbs, button, input, select, textarea")),
      folded: tags(folded),
      cut: tags(cut),
      wide: document.documentElement.scrollWidth,
    };
  });
  assert.ok(printed.words > 500, `${name} prints ${printed.words} letters`);
  assert.deepEqual(printed.furniture, [], `${name} prints what only a screen needs`);
  assert.deepEqual(printed.folded, [], `${name} keeps something folded on paper`);
  assert.deepEqual(printed.cut, [], `${name} cuts something off on paper`);
  assert.ok(printed.wide <= PAPER.width, `${name} is ${printed.wide} px wide on a paper of ${PAPER.width} px`);
  await assertReadable(page, `${name}, printed`);
  await picture(page, `${name}-printed`);
  await page.emulateMedia({ media: null, colorScheme: null });
  await page.setViewportSize({ width: WIDTHS[0], height: 800 });
}
