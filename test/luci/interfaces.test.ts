/** Network -> MAP -> Interfaces, in a real browser. With LUCI_ROOT, the form is LuCI's own. */

import { describe, expect, test } from "vitest";
import { decodeConfig } from "../../src/provision/request.ts";
import { DESKTOP, makeBench, PATIENCE, PHONE } from "./page.ts";

const bench = makeBench();
const show = (options?: Parameters<typeof bench.open>[2]) =>
  bench.open("mapmin/interfaces", ".cbi-map .cbi-section", options);

const field = (name: string, section = "wan_map") => `[id="widget.cbid.network.${section}.${name}"]`;
const line = (name: string, section = "wan_map") => `[data-field="cbid.network.${section}.${name}"]`;

/** Fields of tabs that are not open are there, and cannot be typed into: opens the tab of a field. */
async function enter(name: string, value: string) {
  const input = bench.page.locator(field(name));
  await bench.page.evaluate(
    `(() => {
      const pane = document.querySelector(${JSON.stringify(field(name))}).closest("[data-tab]");
      document.querySelector('.cbi-tabmenu [data-tab="' + pane?.dataset.tab + '"] a')?.click();
    })()`,
  );
  await input.waitFor({ ...PATIENCE, state: "visible" });
  await input.fill(value);
  await input.press("Tab");
}

async function choose(name: string, value: string) {
  await bench.page.evaluate(
    `(() => {
      const select = document.querySelector(${JSON.stringify(field(name))});
      select.value = ${JSON.stringify(value)};
      for (const event of ["input", "change", "blur"]) select.dispatchEvent(new Event(event, { bubbles: true }));
    })()`,
  );
}

async function save() {
  await bench.page.locator(".cbi-button-save").click();
}

/** LuCI says what is wrong in a window of its own. */
async function dismiss() {
  await bench.page.evaluate("document.querySelector('.modal .cbi-button')?.click()");
}

/** Waits until the router has what `holds` says. */
async function saved(holds: () => boolean) {
  await expect.poll(holds, { timeout: 20_000 }).toBe(true);
}

/** Waits until the router has the whole section: a form sets and removes options by one call each. */
async function savedAs(section: Readonly<Record<string, string>>) {
  await expect.poll(() => bench.router.network["wan_map"], { timeout: 20_000 }).toEqual(section);
}

const links = { wan6: { proto: "dhcpv6", device: "eth1" }, lan: { proto: "static", ipaddr: "192.168.1.1" } };
const hidden = (name: string) =>
  bench.page.evaluate<boolean>(
    `document.querySelector(${JSON.stringify(line(name))}).classList.contains("hidden")`,
  );

test("interfaces of the protocol map are there, and no others", async () => {
  bench.router.network = { ...links, wan_map: { proto: "map", tunlink: "wan6" } };
  const page = await show();
  expect(await page.locator("[data-section-id=wan_map].cbi-section-node").count()).toBe(1);
  expect(await page.locator("[data-section-id=wan6], [data-section-id=lan]").count()).toBe(0);
  expect(await page.locator(field("tunlink")).inputValue()).toBe("wan6");
  expect(await page.locator(field("_source")).inputValue()).toBe("dhcpv6");
  expect(await hidden("ipaddr")).toBe(true);
  await bench.picture("form-desktop-light");
});

test("what is saved is what the handler reads, and what was not touched stays", async () => {
  bench.router.network = {
    ...links,
    wan_map: { proto: "map", tunlink: "wan6", metric: "5", legacymap: "yes", type: "map-t" },
  };
  await show();
  await choose("nat", "nftables");
  await choose("maptype", "map-e");
  await enter("reserved_ports", "80 5000-5003");
  await enter("ip6ifaceid", "::1");
  await save();
  const options = {
    tunlink: "wan6",
    maptype: "map-e",
    nat: "nftables",
    reserved_ports: "80 5000-5003",
    ip6ifaceid: "::1",
    legacymap: "1",
  };
  await savedAs({ metric: "5", proto: "map", ...options });
  expect(() => decodeConfig(JSON.stringify(options))).not.toThrow();
});

describe("where the rule comes from", () => {
  const typed = {
    proto: "map",
    maptype: "map-e",
    peeraddr: "2001:db8:ffff::1",
    ipaddr: "192.0.2.0",
    ip4prefixlen: "24",
    ip6prefix: "2001:db8::",
    ip6prefixlen: "40",
    ealen: "16",
  };

  test("typed: its fields are there, as they are", async () => {
    bench.router.network = { ...links, wan_map: { ...typed } };
    const page = await show();
    expect(await page.locator(field("_source")).inputValue()).toBe("typed");
    expect(await page.locator(field("ipaddr")).inputValue()).toBe("192.0.2.0");
    expect([await hidden("ipaddr"), await hidden("rules"), await hidden("rule")]).toEqual([
      false,
      true,
      true,
    ]);
    await enter("ealen", "20");
    await bench.picture("form-rule-desktop-light");
    await save();
    await savedAs({ ...typed, ealen: "20" });
  });

  test("from typed to a table: the fields of the other are gone, because the handler refuses both", async () => {
    bench.router.network = { ...links, wan_map: { ...typed } };
    await show();
    await choose("_source", "table");
    expect(await hidden("rules")).toBe(false);
    await enter("rules", "/etc/mapmin/rules.json");
    await save();
    await savedAs({ proto: "map", maptype: "map-e", rules: "/etc/mapmin/rules.json" });
  });
});

test("options that do not agree are marked, until they do", async () => {
  const typed = {
    peeraddr: "2001:db8:ffff::1",
    ipaddr: "192.0.2.18",
    ip6prefix: "2001:db8::",
    ip6prefixlen: "56",
  };
  bench.router.network = { ...links, wan_map: { proto: "map", ...typed } };
  bench.forgive(/^Option ".*" contains an invalid input value/);
  const page = await show();
  await enter("psid", "52");
  expect(await page.locator(`${field("psidlen")}.cbi-input-invalid`).count()).toBe(1);
  await save();
  await page
    .getByText("The length of the PSID is needed")
    .first()
    .waitFor({ ...PATIENCE, state: "attached" });
  expect(bench.router.network["wan_map"]).toEqual({ proto: "map", ...typed });
  await dismiss();
  await choose("maptype", "map-t");
  expect(await page.locator(`${field("peeraddr")}.cbi-input-invalid`).count()).toBe(1);
  await choose("maptype", "map-e");
  await enter("psidlen", "8");
  expect(await page.locator(".cbi-input-invalid").count()).toBe(0);
  await save();
  await saved(() => bench.router.network["wan_map"]?.["psidlen"] === "8");
});

describe("a value that the handler would refuse", () => {
  test.each([
    ["reserved_ports", "80 x", "Expecting ports"],
    ["mtu", "1279", "Expecting a whole number from 1280 to 65535"],
    ["ip6ifaceid", "2001:db8::1", "Expecting an interface identifier"],
    ["zone", "a b", "Expecting the name of a firewall zone"],
  ])("%s %s is marked, and not saved", async (name, value, message) => {
    bench.router.network = { ...links, wan_map: { proto: "map" } };
    bench.forgive(/^Option ".*" contains an invalid input value/);
    const page = await show();
    await enter(name, value);
    expect(await page.locator(`${field(name)}.cbi-input-invalid`).count()).toBe(1);
    await save();
    await page
      .getByText(message)
      .first()
      .waitFor({ ...PATIENCE, state: "attached" });
    expect(bench.router.network["wan_map"]).toEqual({ proto: "map" });
  });
});

test("port forwards: a list, and also one line that is not in a list", async () => {
  const line = "tcp 4928 192.168.1.10:80";
  bench.router.network = { ...links, wan_map: { proto: "map", forward: line, mtu: "1400" } };
  await show();
  await enter("mtu", "1401");
  await save();
  await saved(() => bench.router.network["wan_map"]?.["mtu"] === "1401");
  expect([bench.router.network["wan_map"]?.["forward"]].flat()).toEqual([line]);
});

test("a new interface: of the protocol map, and none over one that is there", async () => {
  bench.router.network = { ...links };
  const page = await show();
  const add = async (name: string) => {
    await page.locator(".cbi-section-create-name").fill(name);
    await page.locator(".cbi-section-create-name").press("End");
    await page.locator(".cbi-section-create .cbi-button-add").click();
  };
  await add("wan6");
  await page.getByText("There is an interface of this name").waitFor(PATIENCE);
  await add("wan_map");
  await page.locator("[data-section-id=wan_map].cbi-section-node").waitFor(PATIENCE);
  await saved(() => bench.router.network["wan_map"]?.["proto"] === "map");
  expect(bench.router.network["wan6"]).toEqual(links.wan6);
});

test("the form's access list is one of its own: it may write the network, and run nothing", async () => {
  bench.router.network = { ...links, wan_map: { proto: "map" } };
  bench.router.groups = ["luci-app-mapmin-config"];
  await show();
  await enter("mtu", "1400");
  await save();
  await saved(() => bench.router.network["wan_map"]?.["mtu"] === "1400");
  expect([bench.router.denied, bench.router.commands]).toEqual([[], []]);
});

test("hostile values are values of fields, and a hostile name is no section", async () => {
  const hostile = '"><img src=x onerror="window.broken=1">';
  bench.router.network = {
    ...links,
    wan_map: Object.fromEntries(
      ["tunlink", "zone", "peeraddr", "ipaddr", "ip6prefix", "mtu", "reserved_ports", "ip6ifaceid"].map(
        (name) => [name, hostile],
      ),
    ),
    [hostile]: { proto: "map", zone: hostile },
  };
  bench.router.network["wan_map"] = { ...bench.router.network["wan_map"], proto: "map" };
  const page = await show();
  expect(await page.locator(field("zone")).inputValue()).toBe(hostile);
  expect(await page.locator("#view img").count()).toBe(0);
  expect(await page.evaluate<unknown>("window.broken ?? null")).toBe(null);
});

test.each([
  ["desktop", DESKTOP, false, true],
  ["phone", PHONE, true, false],
  ["phone", PHONE, true, true],
] as const)("nothing is wider than the page of a %s", async (name, viewport, isMobile, dark) => {
  bench.router.network = { ...links, wan_map: { proto: "map", ipaddr: "192.0.2.0" } };
  await show({ viewport, isMobile, dark });
  await bench.picture(`form-${name}-${dark ? "dark" : "light"}`);
  expect(await bench.overhang()).toBe(0);
});
