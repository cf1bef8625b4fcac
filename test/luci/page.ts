/** What the tests of the pages share: a browser before a router, and what it complains of. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { type Browser, openBrowser, type Page } from "./browser.mjs";
import { LUCI_ROOT, type Router, startRouter } from "./router.ts";

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };
/** A directory, where pictures of the pages are wanted. */
const PICTURES = process.env["MAPMIN_PICTURES"];
/** Polls are five seconds apart. */
export const PATIENCE = { timeout: 30_000 };

export interface Bench {
  readonly router: Router;
  readonly page: Page;
  /** Opens a page, and waits until it shows `sign`. */
  open(
    view: string,
    sign: string,
    options?: Parameters<Browser["newPage"]>[0] & { readonly dark?: boolean },
  ): Promise<Page>;
  /** Keeps a picture of the page, where pictures are wanted. */
  picture(name: string): Promise<void>;
  /** LuCI itself complains of what a person typed wrongly: what fits is no failure in this test. */
  forgive(pattern: RegExp): void;
  /** How many pixels the page is wider than the window. */
  overhang(): Promise<number>;
}

/** Makes the browser and the router of a file of tests. What a page says on its console fails the test. */
export function makeBench(): Bench {
  let browser: Browser;
  let router: Router;
  let page: Page;
  const complaints: string[] = [];
  let forgiven: RegExp | undefined;
  beforeAll(async () => {
    browser = await openBrowser();
    router = await startRouter();
  });
  afterAll(async () => {
    await browser?.close();
    await router?.close();
  });
  beforeEach(() => {
    router.reset();
    complaints.length = 0;
    forgiven = undefined;
  });
  afterEach(async () => {
    await page?.close();
    expect(complaints.filter((text) => forgiven?.test(text) !== true)).toEqual([]);
  });
  return {
    get router() {
      return router;
    },
    get page() {
      return page;
    },
    async open(view, sign, { dark = false, ...options } = { viewport: DESKTOP }) {
      page = await browser.newPage({ ...options, colorScheme: dark ? "dark" : "light" });
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(`${router.address}/page?view=${view}&dark=${dark}`);
      await page.locator(sign).first().waitFor(PATIENCE);
      return page;
    },
    async picture(name) {
      if (PICTURES === undefined) return;
      const directory = join(PICTURES, LUCI_ROOT === undefined ? "standin" : "luci");
      mkdirSync(directory, { recursive: true });
      await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true });
    },
    forgive(pattern) {
      forgiven = pattern;
    },
    overhang: () =>
      page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
  };
}
