// People sign in and out at an identity provider that nobody here wrote, in browsers.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { freePort } from "./demo.mjs";
import { look } from "./looks.mjs";
import { Muster } from "./muster.mjs";
import { IdentityProvider } from "./provider.mjs";

const PASSWORD = "correct horse battery";

let url;
let provider;
let muster;
let browser;

before(async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  url = `http://${listen}`;
  provider = await IdentityProvider.start(url);
  muster = await Muster.start(listen, {
    ...provider.settings,
    MUSTER_ADMIN_PASSWORD: PASSWORD,
    MUSTER_OIDC_ROLES: "kafka-admins=admin;oncall=operator;dr=approver",
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "chromium",
    args: ["--no-sandbox"],
  });
});

after(async () => {
  await browser?.close();
  await muster?.stop();
  await provider?.go();
});

/** A browser of one person. */
async function open(options = {}) {
  const context = await browser.newContext({ baseURL: url, ...options });
  // The provider's pages would load a font from elsewhere.
  await context.route(/^https?:\/\/(?!127\.0\.0\.1|localhost)/, (route) => route.abort());
  const page = await context.newPage();
  page.errors = [];
  page.on("console", (message) => {
    const ours = message.location().url.startsWith(url);
    // A refused page is one of ours too, and browsers call its status an error.
    if (message.type() === "error" && ours && !message.text().includes("Failed to load resource")) {
      page.errors.push(message.text());
    }
  });
  page.setDefaultTimeout(120_000);
  return page;
}

/** Through the provider's own pages, from Muster's sign-in page and back to it. */
async function signIn(page, subject) {
  await page.getByRole("link", { name: "Sign in with Example ID" }).click();
  await page.getByPlaceholder("Enter any login").fill(subject);
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  const agree = page.getByRole("button", { name: "Continue" });
  await agree.or(page.locator("main#main")).first().waitFor();
  if (await agree.isVisible()) await agree.click();
  await page.waitForURL(`${url}/**`);
}

/** Who Muster takes the browser for. */
async function who(page) {
  const answer = await page.request.get("/api/v1/session");
  assert.equal(answer.status(), 200);
  const { name, grants } = await answer.json();
  return { name, roles: grants.map((grant) => grant.role) };
}

test("somebody signs in, has the roles of their groups, signs out there too, and comes back with others", async () => {
  provider.people["u-1001"] = { preferred_username: "Mira.Holt@example.com", name: "Mira Holt", groups: ["oncall"] };
  const page = await open();
  await page.goto("/runs?state=running");
  await look(page, "sign-in-with-a-provider");
  await signIn(page, "u-1001");
  assert.equal(page.url(), `${url}/runs?state=running`);
  assert.deepEqual(await who(page), { name: "mira.holt", roles: ["operator"] });

  await page.getByRole("button", { name: "Sign out mira.holt" }).click();
  // Muster's page leads on to the provider's by itself.
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await page.waitForURL(`${url}/sign-in`);
  assert.equal((await page.request.get("/api/v1/session")).status(), 401);

  provider.people["u-1001"].groups = ["dr"];
  // The provider asks again who they are: it has forgotten them.
  await signIn(page, "u-1001");
  assert.deepEqual(await who(page), { name: "mira.holt", roles: ["approver"] });
  assert.deepEqual(page.errors, []);
});

test("without JavaScript it is the same", async () => {
  provider.people["u-1002"] = { preferred_username: "abel", groups: ["dr"] };
  const page = await open({ javaScriptEnabled: false });
  await page.goto("/sign-in");
  await signIn(page, "u-1002");
  assert.deepEqual(await who(page), { name: "abel", roles: ["approver"] });
  await page.getByRole("button", { name: "Sign out abel" }).click();
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await page.waitForURL(`${url}/sign-in`);
});

test("somebody whose groups give no role is told so, on any screen", async () => {
  provider.people["u-1003"] = { preferred_username: "nora", groups: ["staff", "sales"] };
  const page = await open();
  await page.goto("/sign-in");
  await signIn(page, "u-1003");
  assert.match(await page.innerText("main"), /named the groups staff, sales\. That gives you no role/);
  await look(page, "sign-in-oidc-callback");
  assert.equal((await page.request.get("/api/v1/session")).status(), 401);
  assert.deepEqual(page.errors, []);
});

test("while the provider is away a password gets in, and when it is back with new keys it does", async () => {
  provider.people["u-1004"] = { preferred_username: "gina", groups: ["kafka-admins"] };
  await provider.go();
  const page = await open();
  await page.goto("/sign-in?next=/people");
  await page.getByRole("textbox", { name: "User name" }).fill("admin");
  await page.getByRole("textbox", { name: "Password" }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in to Muster" }).click();
  await page.waitForURL(`${url}/people`);

  await provider.come();
  const other = await open();
  await other.goto("/people");
  await signIn(other, "u-1004");
  assert.equal(other.url(), `${url}/people`);
  assert.match(await other.innerText("main"), /admin of all teams, by their groups/);
});
