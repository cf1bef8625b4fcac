import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const directory = fileURLToPath(new URL("../../../netifd-proto/", import.meta.url));

test("dump is one line of JSON, with no engine started", () => {
  const output = execFileSync("/bin/sh", ["-c", "./map.sh '' dump"], {
    cwd: directory,
    encoding: "utf8",
    env: { PATH: "/nowhere", MAPMIN_LIB: "/nowhere", MAPMIN_BIN: "/nowhere" },
  });
  expect(output.match(/\n/g)).toHaveLength(1);
  const dump = JSON.parse(output);
  expect(dump).toMatchObject({ name: "map", "no-device": true, "no-proto-task": true, available: true });
  const options = dump.config.map(([name]: [string]) => name);
  expect(options).toEqual(
    expect.arrayContaining(
      "maptype type rule rules ipaddr ip4prefixlen ip6prefix ip6prefixlen peeraddr ealen psidlen psid offset legacymap tunlink mtu ttl zone encaplimit reserved_ports dont_snat_to snat_fix allow_private nat ip6ifaceid forward upnp_ports".split(
        " ",
      ),
    ),
  );
  expect(dump.config.every(([, type]: [string, number]) => [1, 3, 5, 7].includes(type))).toBe(true);
});

test("anything else but netifd's actions is refused", () => {
  for (const argv of [[], ["map"], ["map", "destroy", "x", "{}"]]) {
    expect(spawnSync("sh", ["./map.sh", ...argv], { cwd: directory }).status).toBe(2);
  }
});

test("the script has at most 60 lines", () => {
  expect(readFileSync(`${directory}map.sh`, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(60);
});
