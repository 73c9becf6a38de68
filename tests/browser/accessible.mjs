// What axe says of a page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Nothing axe objects to, by the rules of WCAG 2.2 A and AA. */
export async function assertAccessible(page, where) {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  await assertNoViolation(page, where, { type: "tag", values: tags });
}

/** What axe says of a page differs between its schemes in these alone; the others ask for its structure and its measures. */
export async function assertColours(page, where) {
  await assertNoViolation(page, where, { type: "rule", values: ["color-contrast", "link-in-text-block"] });
}

/** All text stands out from its ground. */
export async function assertReadable(page, where) {
  await assertNoViolation(page, where, { type: "rule", values: ["color-contrast"] });
}

async function assertNoViolation(page, where, runOnly) {
  // Past the page's own content security policy, which would refuse an inline script.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
  // What is under the mouse takes a moment from one scheme to the other, and axe would measure what is between them.
  await page.evaluate(() => {
    const moving = document.getAnimations().filter((one) => one instanceof CSSTransition);
    return Promise.allSettled(moving.map((one) => one.finished)).then(() => {});
  });
  const violations = await page.evaluate(async (runOnly) => {
    // What is well is not listed element by element.
    const found = await globalThis.axe.run(document, { runOnly, resultTypes: ["violations"] });
    return found.violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.html).join(" | ")}`);
  }, runOnly);
  assert.deepEqual(violations, [], `${where}: ${violations.join("\n")}`);
}
