// How a page looks: on a desk and on a phone, in light and in dark. Nothing sticks out, axe objects to nothing, and a
// picture of each is kept in target/screenshots for people to look at.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";

import { assertAccessible } from "./accessible.mjs";

const KEPT = process.env.MUSTER_SCREENSHOTS ?? path.resolve(import.meta.dirname, "../../target/screenshots");
const WIDTHS = [1280, 390];

/** Looks at the page that is open. `name` becomes part of the pictures' file names. */
export async function look(page, name) {
  mkdirSync(KEPT, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} px wide on a screen of ${width} px`);
      await page.screenshot({ path: path.join(KEPT, `${name}-${colorScheme}-${width}.png`), fullPage: true });
    }
    await assertAccessible(page, `${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: WIDTHS[0], height: 800 });
}
