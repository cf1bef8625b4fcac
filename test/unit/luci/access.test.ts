/** The access lists of the pages, and their places in the menu. */

import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { acl, allows } from "../../luci/router.ts";

const root = new URL("../../../files/", import.meta.url);
const menu: Record<string, { action: { type: string; path?: string }; depends: { acl: string[] } }> =
  JSON.parse(readFileSync(new URL("usr/share/luci/menu.d/luci-app-mapmin.json", root), "utf8"));

const status = ["luci-app-mapmin"];
const program = "/usr/sbin/mapminctl";

test("the status page may run three commands that show something, read the log, and nothing else", () => {
  expect(acl["luci-app-mapmin"]).toEqual({
    description: "Show MAP interfaces, and look for what is wrong with them",
    read: {
      file: {
        "/tmp/map.log": ["read"],
        [`${program} status --json*`]: ["exec"],
        [`${program} explain --json*`]: ["exec"],
        [`${program} doctor --json*`]: ["exec"],
      },
      ubus: { file: ["exec", "read"], "network.interface": ["dump"] },
    },
  });
});

test.each([
  `${program}`,
  `${program} status`,
  `${program} upnp`,
  `${program} plan --json`,
  `${program} rules check /etc/shadow`,
  `${program} --json status`,
  `${program} doctor wan --json`,
  "/usr/sbin/mdpc",
  "/usr/sbin/mapminctl-other status --json",
  "/tmp/mapminctl status --json",
  "/bin/sh -c /usr/sbin/mapminctl status --json",
])("%s is not allowed", (line) => {
  expect(allows("file", line, "exec", status)).toBe(false);
});

test.each([
  ["/tmp/map.log", "write"],
  ["/tmp/map.log.1", "read"],
  ["/etc/config/network", "read"],
  ["/etc/shadow", "read"],
])("%s: no %s", (path, right) => {
  expect(allows("file", path, right, status)).toBe(false);
});

test("the form has a list of its own: the configuration network, and no command", () => {
  expect(Object.keys(acl)).toEqual(["luci-app-mapmin", "luci-app-mapmin-config"]);
  expect(acl["luci-app-mapmin-config"]).toEqual({
    description: "Configure MAP interfaces",
    read: { uci: ["network"] },
    write: { uci: ["network"] },
  });
});

test("each page of the menu is a file, below Network, for those who have its list", () => {
  for (const [place, { action, depends }] of Object.entries(menu)) {
    expect(place).toMatch(/^admin\/network\/mapmin(\/|$)/);
    expect(Object.keys(acl)).toEqual(expect.arrayContaining(depends.acl));
    expect(depends.acl).toHaveLength(1);
    if (action.type === "view")
      expect(existsSync(new URL(`www/luci-static/resources/view/${action.path}.js`, root))).toBe(true);
  }
  expect(menu["admin/network/mapmin/interfaces"]?.depends.acl).toEqual(["luci-app-mapmin-config"]);
});
