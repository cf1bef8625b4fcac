/** The little of playwright-core that the tests use. */

export interface Locator {
  click(options?: { timeout?: number }): Promise<void>;
  count(): Promise<number>;
  fill(text: string): Promise<void>;
  first(): Locator;
  getAttribute(name: string): Promise<string | null>;
  hover(options?: { position?: { x: number; y: number } }): Promise<void>;
  inputValue(): Promise<string>;
  locator(selector: string): Locator;
  press(key: string): Promise<void>;
  selectOption(value: string): Promise<unknown>;
  textContent(): Promise<string | null>;
  waitFor(options?: { timeout?: number; state?: "attached" | "visible" | "hidden" }): Promise<void>;
}

export interface Page {
  close(): Promise<void>;
  emulateMedia(options: { colorScheme: "light" | "dark" }): Promise<void>;
  evaluate<Result>(work: string): Promise<Result>;
  getByRole(role: string, options: { name: string; exact?: boolean }): Locator;
  getByText(text: string | RegExp): Locator;
  goto(address: string): Promise<unknown>;
  locator(selector: string): Locator;
  on(event: "console", heard: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", heard: (error: Error) => void): void;
  on(event: "requestfailed", heard: (request: { url(): string }) => void): void;
  screenshot(options: { path: string; fullPage?: boolean }): Promise<unknown>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  waitForFunction(condition: string, argument?: unknown, options?: { timeout?: number }): Promise<unknown>;
}

export interface Browser {
  close(): Promise<void>;
  newPage(options?: {
    viewport?: { width: number; height: number };
    isMobile?: boolean;
    colorScheme?: "light" | "dark";
  }): Promise<Page>;
}

export function openBrowser(): Promise<Browser>;
