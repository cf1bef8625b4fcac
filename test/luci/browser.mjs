/** Debian's Chromium, driven by playwright-core. Plain JavaScript: the types that we use of it are in browser.d.mts. */
import { chromium } from "playwright-core";

export function openBrowser() {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    // Chromium has no sandbox for root, as whom tests run; the pages are ours.
    args: ["--no-sandbox", "--disable-gpu"],
  });
}
