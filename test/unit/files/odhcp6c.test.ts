import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { makeSandbox, repositoryFile, type Sandbox, shells, UNTOUCHED } from "../../support/shell-sandbox.ts";

const HOOK = "files/etc/odhcp6c.user.d/mapmin";
const LIB = repositoryFile("files/usr/lib/mapmin");
const OPTION = "0042020015";
const LEASE = {
  INTERFACE: "wan6",
  OPTION_48879: OPTION,
  PREFIXES: "2001:db8:12:3400::/56,1800,3600",
};

describe.each(shells)("the DHCPv6 hook in %s", (_name, shell) => {
  let sandbox: Sandbox;
  let environment: Record<string, string>;

  beforeEach(() => {
    sandbox = makeSandbox(shell);
    const log = sandbox.path("calls");
    sandbox.program(
      "node",
      `#!/bin/sh
printf '%s|' node "\${1##*/}" "$2" "$3" "$4" "$OPTION_48879" "$PREFIXES" "$ZONE" "$IFACE_MAP" >>'${log}'
echo >>'${log}'
[ ! -e '${sandbox.path("configures")}' ] || echo >'${sandbox.path("network")}'
[ ! -e '${sandbox.path("broken")}' ]
`,
    );
    writeFileSync(sandbox.path("network"), "");
    utimesSync(sandbox.path("network"), 1, 1);
    environment = {
      MAPMIN_LIB: LIB,
      MAPMIN_BIN: sandbox.path("bin"),
      MAPMIN_NETWORK: sandbox.path("network"),
      MAPMIN_CONTROL: sandbox.path("control"),
    };
  });
  afterEach(() => sandbox.remove());

  const run = (state: string, lease: Record<string, string>) => {
    const sourced = sandbox.source(HOOK, ["eth1", state], { ...environment, ...lease });
    expect(sourced).toMatchObject({ status: 0, stdout: UNTOUCHED });
    return sourced.stderr;
  };
  const nodeCalls = () => sandbox.calls().filter((line) => line.startsWith("node|"));
  const called = (state: string, lease: Record<string, string> = LEASE) => {
    run(state, lease);
    return nodeCalls();
  };

  test("a new lease starts Node with what the provider sent", () => {
    expect(called("bound")).toEqual([
      `node|handler.cjs|hook|wan6|bound|${OPTION}|${LEASE.PREFIXES}||wan6_4|`,
    ]);
    expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.lease", "wan6.look", "wan6.turn"]);
    // Another user who could open it could hold the lock of the hooks.
    expect(statSync(sandbox.path("run")).mode & 0o777).toBe(0o700);
  });

  test("the same lease again starts nothing at all", () => {
    called("bound");
    for (const state of ["ra-updated", "updated", "rebound", "informed", "bound"]) {
      // Only the lifetimes have counted down.
      run(state, { ...LEASE, PREFIXES: "2001:db8:12:3400::/56,1700,3500" });
      expect(sandbox.calls()).toEqual([]);
    }
  });

  test.each([
    ["the option", { OPTION_48879: "0142020015" }],
    ["the prefix", { PREFIXES: "2001:db8:12:3500::/56,1800,3600" }],
    ["a second prefix", { PREFIXES: `${LEASE.PREFIXES} 2001:db8:ff::/60,1800,3600` }],
    ["the zone", { ZONE: "wan" }],
  ])("a change of %s starts Node once", (_what, change) => {
    called("bound");
    expect(called("ra-updated", { ...LEASE, ...change })).toHaveLength(1);
    expect(called("ra-updated", { ...LEASE, ...change })).toEqual([]);
  });

  test.each([
    ["there is no directory for its record", "/dev/null/run"],
    ["its record cannot be written", "/proc/self"],
  ])("a lease counts though %s", (_title, run) => {
    const noRecord = { ...LEASE, MAPMIN_RUN: run };
    for (const state of ["bound", "ra-updated"]) {
      const sourced = sandbox.source(HOOK, ["eth1", state], { ...environment, ...noRecord });
      expect(sourced).toMatchObject({ status: 0, stdout: UNTOUCHED });
      expect(nodeCalls()).toHaveLength(1);
    }
  });

  describe("hooks that run at once", () => {
    /** An engine that notes its lease, and ends when the file `go` is there, or the sandbox is gone. */
    const slow = `#!/bin/sh
echo begin\${OPTION_48879:+ $OPTION_48879} >>'LOG'
while [ -d 'HERE' ] && [ ! -e 'GO' ]; do /bin/busybox sleep 0.01; done
echo end\${OPTION_48879:+ $OPTION_48879} >>'LOG'
`;
    const engine = () =>
      sandbox.program(
        "node",
        slow
          .replaceAll("LOG", sandbox.path("engine"))
          .replaceAll("GO", sandbox.path("go"))
          .replaceAll("HERE", sandbox.directory),
      );
    const noted = () => readFileSync(sandbox.path("engine"), "utf8").trimEnd().split("\n");
    const started = (state: string, lease: Record<string, string>) =>
      sandbox.start(HOOK, ["eth1", state], { ...environment, ...lease });
    const begun = (option: string) =>
      vi.waitFor(() => expect(noted()).toContain(`begin ${option}`), { timeout: 20_000, interval: 5 });
    const turn = (text: string) =>
      vi.waitFor(() => expect(readFileSync(sandbox.path("run/wan6.turn"), "utf8")).toContain(text), {
        timeout: 20_000,
        interval: 5,
      });
    const go = () => writeFileSync(sandbox.path("go"), "");
    const withdrawal = { ...LEASE, OPTION_48879: "" };

    test("eight with the same lease start one engine", async () => {
      engine();
      const all = Array.from({ length: 8 }, () => started("updated", LEASE));
      await begun(OPTION);
      go();
      await Promise.all(all.map(({ ended }) => ended));
      expect(noted()).toEqual([`begin ${OPTION}`, `end ${OPTION}`]);
      expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.lease", "wan6.look", "wan6.turn"]);
    });

    test("the newest of those that wait acts, and no other", async () => {
      engine();
      const first = started("updated", LEASE);
      await begun(OPTION);
      const second = started("updated", { ...LEASE, OPTION_48879: "0011" });
      await turn("0011");
      const third = started("updated", withdrawal);
      await turn("||");
      go();
      await Promise.all([first, second, third].map(({ ended }) => ended));
      expect(noted()).toEqual([`begin ${OPTION}`, `end ${OPTION}`, "begin", "end"]);
      expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.look", "wan6.turn"]);
    });

    test("one that is ended leaves its engine, for which the next one waits, and its lease as not settled", async () => {
      engine();
      const first = started("updated", LEASE);
      await begun(OPTION);
      first.kill();
      await first.ended;
      const second = started("updated", withdrawal);
      await turn("||");
      expect(noted()).toEqual([`begin ${OPTION}`]);
      go();
      await second.ended;
      expect(noted()).toEqual([`begin ${OPTION}`, `end ${OPTION}`, "begin", "end"]);
      expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.look", "wan6.turn"]);
    });

    test("a lease that is lost meanwhile is not noted: the same one again is acted upon", async () => {
      engine();
      const first = started("bound", LEASE);
      await begun(OPTION);
      const lost = started("unbound", { INTERFACE: "wan6" });
      await turn("unbound");
      go();
      await Promise.all([first.ended, lost.ended]);
      run("bound", LEASE);
      expect(noted()).toEqual([`begin ${OPTION}`, `end ${OPTION}`, `begin ${OPTION}`, `end ${OPTION}`]);
      expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.lease", "wan6.look", "wan6.turn"]);
    });
  });

  test("a link without the option starts nothing", () => {
    for (const state of ["started", "bound", "updated", "ra-updated", "stopped", "unbound"]) {
      run(state, { INTERFACE: "wan6", PREFIXES: LEASE.PREFIXES });
    }
    expect(sandbox.calls()).toEqual([]);
    expect(existsSync(sandbox.path("run"))).toBe(false);
  });

  test("a lease that loses the option withdraws once", () => {
    called("bound");
    const without = { ...LEASE, OPTION_48879: "" };
    expect(called("rebound", without)).toEqual([
      `node|handler.cjs|hook|wan6|rebound||${LEASE.PREFIXES}||wan6_4|`,
    ]);
    expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.look", "wan6.turn"]);
    expect(called("ra-updated", without)).toEqual([]);
  });

  test.each(["started", "stopped", "unbound"])("%s forgets the lease and starts no Node", (state) => {
    called("bound");
    expect(called(state, { INTERFACE: "wan6" })).toEqual([]);
    expect(readdirSync(sandbox.path("run"))).toEqual(["wan6.look", "wan6.turn"]);
    expect(called("bound")).toHaveLength(1);
  });

  test("an edited network configuration is looked at once", () => {
    called("bound");
    const later = Date.now() / 1000 + 10;
    utimesSync(sandbox.path("network"), later, later);
    expect(called("ra-updated")).toHaveLength(1);
    // Written before the state that the second look left.
    utimesSync(sandbox.path("network"), 1, 1);
    expect(called("ra-updated")).toEqual([]);
  });

  test("one that is edited while a hook is at work is looked at once more", () => {
    writeFileSync(sandbox.path("configures"), "");
    expect(called("bound")).toHaveLength(1);
    expect(called("ra-updated")).toHaveLength(1);
    rmSync(sandbox.path("configures"));
    // In the second after.
    const before = Date.now() / 1000 - 5;
    utimesSync(sandbox.path("network"), before, before);
    expect(called("ra-updated")).toEqual([]);
    rmSync(sandbox.path("network"));
    expect(called("ra-updated")).toEqual([]);
  });

  describe("when Node fails", () => {
    beforeEach(() => writeFileSync(sandbox.path("broken"), ""));

    test("advertisements do not try again at once, renewals do", () => {
      expect(called("bound")).toHaveLength(1);
      expect(called("ra-updated")).toEqual([]);
      expect(called("updated")).toHaveLength(1);
    });

    test("an advertisement tries again a minute later", () => {
      called("bound");
      const file = sandbox.path("run/wan6.lease");
      const [lease] = readFileSync(file, "utf8").split("\n");
      const [uptime = "0"] = readFileSync("/proc/uptime", "utf8").split(".");
      writeFileSync(file, `${lease}\nfailed ${Number(uptime) - 61}\n`);
      expect(called("ra-updated")).toHaveLength(1);
    });

    test("an advertisement that brings something else tries", () => {
      called("bound");
      expect(called("ra-updated", { ...LEASE, OPTION_48879: "01" })).toHaveLength(1);
    });
  });

  test.each([
    ["not hexadecimal", "00zz"],
    ["a command", "00;reboot"],
    ["a substitution", "$(reboot)"],
    ["two lines", "00\n01"],
    ["a pattern", "*"],
  ])("an option that is %s is refused", (_what, option) => {
    expect(run("bound", { ...LEASE, OPTION_48879: option })).toMatch(
      /OPTION_48879 of wan6 is not hexadecimal/,
    );
    expect(sandbox.calls()).toEqual([]);
    // Advertisements are too many to complain at each.
    expect(run("ra-updated", { ...LEASE, OPTION_48879: option })).toBe("");
  });

  test.each(["", "../etc/passwd", "wan 6", ".hidden", "-rf", "w\nan", "*", "$(reboot)"])(
    "the interface name %j is refused",
    (link) => {
      run("bound", { ...LEASE, INTERFACE: link });
      expect(sandbox.calls()).toEqual([]);
      expect(existsSync(sandbox.path("run"))).toBe(false);
    },
  );

  test("words of PREFIXES are neither expanded nor run", () => {
    writeFileSync(sandbox.path("cafe"), "");
    called("bound", { ...LEASE, PREFIXES: "* $(id) `id` 2001:db8::/48,1,2" });
    expect(readFileSync(sandbox.path("run/wan6.lease"), "utf8")).toBe(
      `wan6_4 |${OPTION}| 2001:db8::/48\nok\n`,
    );
  });

  test("a damaged state file counts as none", () => {
    called("bound");
    for (const text of ["", "garbage", `wan6_4 |${OPTION}| 2001:db8:12:3400::/56\nfailed x;reboot\n`]) {
      writeFileSync(sandbox.path("run/wan6.lease"), text);
      expect(called("updated")).toHaveLength(1);
    }
  });

  describe("OpenWrt's own script and its options", () => {
    test.each([
      ["MAPE", { MAPE: "type=map-e,..." }],
      ["LW4O6", { LW4O6: "type=lw4o6,..." }],
    ])("where %s came too, its offer stands", (_what, variables) => {
      expect(called("bound", { ...LEASE, ...variables })).toEqual([]);
    });

    test("where MAPT came too, its offer stands if there is a translator", () => {
      const lease = { ...LEASE, MAPT: "type=map-t,..." };
      expect(called("bound", lease)).toHaveLength(1);
      writeFileSync(sandbox.path("control"), "");
      expect(called("bound", { ...lease, OPTION_48879: "00" })).toEqual([]);
    });

    test.each([
      ["iface_map '0'", { IFACE_MAP: "0" }],
      ["dynamic '0'", { DYNAMIC: "0" }],
    ] as const)("with option %s nothing is offered, and what was is withdrawn", (_what, variables) => {
      expect(called("bound", { ...LEASE, ...variables })).toEqual([]);
      called("bound");
      expect(called("updated", { ...LEASE, ...variables })).toEqual([
        `node|handler.cjs|hook|wan6|updated||${LEASE.PREFIXES}||wan6_4|`,
      ]);
    });

    test.each([
      ["a name of the user's", "home_map", "home_map"],
      ["1", "1", "wan6_4"],
      ["a name that is none", "x;reboot", "wan6_4"],
    ])("iface_map with %s", (_what, value, name) => {
      expect(called("bound", { ...LEASE, IFACE_MAP: value, ZONE: "wan", ZONE_MAP: "map" })).toEqual([
        `node|handler.cjs|hook|wan6|bound|${OPTION}|${LEASE.PREFIXES}|map|${name}|`,
      ]);
    });
  });

  test("a script that runs under set -eu lives on", () => {
    writeFileSync(sandbox.path("broken"), "");
    for (const lease of [LEASE, { ...LEASE, OPTION_48879: "zz" }, { INTERFACE: "" }]) {
      const sourced = sandbox.source(HOOK, ["eth1", "bound"], { ...environment, ...lease, STRICT: "1" });
      expect(sourced).toMatchObject({ status: 0, stdout: UNTOUCHED });
    }
  });
});
