import { describe, expect, test } from "vitest";
import { runProto } from "../../../src/cli/proto.ts";
import { TABLE_LIMIT } from "../../../src/provision/table-text.ts";
import { openHost } from "../../../src/system/host.ts";
import type { Bus, RunOptions, System } from "../../../src/system/system.ts";
import { EffectError } from "../../../src/wire/errors.ts";

const CONTROL = "/proc/net/nat46/control";
const MARK = "/proc/net/mapmint/counters";

interface Ran extends RunOptions {
  readonly command: string;
}

/** A system of files in memory, with programs and a ubus that answer what a test wants. */
function makeSystem({
  answer = () => "",
  reply = async () => ({}),
}: {
  readonly answer?: (command: string) => string;
  readonly reply?: Bus["call"];
} = {}) {
  const disk = new Map<string, string>();
  const ran: Ran[] = [];
  const called: (readonly [string, number])[] = [];
  const printed: string[] = [];
  let open = 0;
  const refuse = () => {
    throw new Error("is not asked for");
  };
  const system: System = {
    args: [],
    environment: {},
    columns: 80,
    isTerminal: false,
    stdin: (async function* () {})(),
    stdout: (text) => void printed.push(text),
    stderr: (text) => void printed.push(text),
    now: () => new Date("2026-01-02T03:04:05Z"),
    exit: refuse,
    sleep: refuse,
    control: refuse,
    files: {
      readText: (path) => disk.get(path),
      replaceFile: (path, text) => void disk.set(path, text),
      writeOnce: (path, text) => {
        if (!disk.has(path)) throw new EffectError(path, "No such file or directory");
        disk.set(path, text);
      },
      removeFile: (path) => void disk.delete(path),
      namesIn: refuse,
      appendBounded: (path, record) => void disk.set(path, (disk.get(path) ?? "") + record),
    },
    async run(file, argv, options) {
      const command = [file, ...argv].join(" ");
      ran.push({ command, ...options });
      return answer(command);
    },
    openBus() {
      open++;
      return {
        call: (object, method, args, limitMs) => {
          called.push([`${object} ${method} ${JSON.stringify(args)}`, limitMs]);
          return reply(object, method, args, limitMs);
        },
        close: () => {
          open--;
        },
      };
    },
  };
  return { system, disk, ran, called, printed, connections: () => open };
}

const failing = (message: string) => () => {
  throw new EffectError("program", message);
};

describe("time limits", () => {
  test("a teardown is done before netifd kills it after 5 s, even when ubus and nft are silent", async () => {
    const { system, ran, called } = makeSystem();
    const host = openHost(system, "wan", "teardown");
    await host.call("network.interface", "down", { interface: "wan_" });
    await host.loadFirewall("delete table ip x\n");
    await host.listTable("x", "text");
    await host.flushFlows("192.0.2.1/32");
    expect(called).toEqual([['network.interface down {"interface":"wan_"}', 3_000]]);
    expect(ran.map(({ limitMs }) => limitMs)).toEqual([4_000, 4_000, 4_000]);
  });

  test("everything else waits for half a minute", async () => {
    const { system, ran, called } = makeSystem();
    const host = openHost(system, "wan");
    await host.call("network", "add_dynamic", {});
    await host.loadFirewall("");
    await host.listTable("x", "json");
    await host.flushFlows("192.0.2.1");
    expect(called.map(([, limitMs]) => limitMs)).toEqual([30_000]);
    expect(ran.map(({ limitMs }) => limitMs)).toEqual([30_000, 30_000, 30_000]);
  });

  test.each([
    ["teardown", 4_000],
    ["setup", 30_000],
    ["renew", 30_000],
  ])("netifd's %s", async (action, limitMs) => {
    const { system, ran, called, connections } = makeSystem();
    await runProto(["map", action, "wan_map", "{}"], system);
    for (const program of ran) expect(program.limitMs).toBe(limitMs);
    for (const [, limit] of called) expect(limit).toBe(action === "teardown" ? 3_000 : 30_000);
    expect(ran.length + called.length).toBeGreaterThan(0);
    expect(connections()).toBe(0);
  });
});

describe("nft", () => {
  test("reads a script from standard input", async () => {
    const { system, ran } = makeSystem();
    await openHost(system, "wan").loadFirewall("table ip x {\n}\n");
    expect(ran).toEqual([{ command: "nft -f -", input: "table ip x {\n}\n", limitMs: 30_000 }]);
  });

  test("lists a table to load again, or to compare; none where nft finds none; other errors are told", async () => {
    const { system, ran } = makeSystem({ answer: (command) => `printed by ${command}` });
    const host = openHost(system, "wan");
    expect(await host.listTable("x", "text")).toBe("printed by nft list table ip x");
    expect(await host.listTable("x", "json")).toBe("printed by nft -j list table ip x");
    expect(ran).toHaveLength(2);
    const without = makeSystem({ answer: failing("Error: No such file or directory") }).system;
    expect(await openHost(without, "wan").listTable("x", "text")).toBeUndefined();
    const broken = makeSystem({ answer: failing("not installed") }).system;
    await expect(openHost(broken, "wan").listTable("x", "text")).rejects.toThrow("program: not installed");
  });
});

describe("flows", () => {
  test("of an address, or of a prefix's first one, are deleted", async () => {
    const { system, ran } = makeSystem();
    const host = openHost(system, "wan");
    await host.flushFlows("192.0.2.18/32");
    await host.flushFlows("192.0.2.19");
    expect(ran.map(({ command }) => command)).toEqual([
      "conntrack -D -q 192.0.2.18",
      "conntrack -D -q 192.0.2.19",
    ]);
  });

  test("none to delete is no error; a conntrack that is missing is one", async () => {
    const none = makeSystem({ answer: failing("conntrack v1.4.8: 0 flow entries have been deleted.") });
    await expect(openHost(none.system, "wan").flushFlows("192.0.2.18")).resolves.toBeUndefined();
    const missing = makeSystem({ answer: failing("not installed") });
    await expect(openHost(missing.system, "wan").flushFlows("192.0.2.18")).rejects.toThrow("not installed");
  });
});

describe("the module's control file", () => {
  test("counts as there only beside the mark of our own module", () => {
    const { system, disk } = makeSystem();
    const host = openHost(system, "wan");
    disk.set(CONTROL, "add map-wan\n");
    expect(host.readControl()).toBeUndefined();
    disk.set(MARK, "");
    expect(host.readControl()).toBe("add map-wan\n");
    disk.delete(CONTROL);
    expect(host.readControl()).toBeUndefined();
  });

  test("takes all lines in one write", () => {
    const { system, disk } = makeSystem();
    disk.set(CONTROL, "");
    openHost(system, "wan").writeControl(["add map-wan", "config map-wan nat.mode off"]);
    expect(disk.get(CONTROL)).toBe("add map-wan\nconfig map-wan nat.mode off\n");
  });
});

describe("devices", () => {
  test.each([
    ["1500\n", 1500],
    ["1", 1],
    ["0\n", undefined],
    ["-1\n", undefined],
    ["1.5", undefined],
    ["x", undefined],
    [undefined, undefined],
  ])("MTU %j is %s", (text, mtu) => {
    const { system, disk } = makeSystem();
    if (text !== undefined) disk.set("/sys/class/net/map-wan/mtu", text);
    expect(openHost(system, "wan").deviceMtu("map-wan")).toBe(mtu);
  });

  test("the kernel uses an address that it has, and that it does not ask its neighbours for", () => {
    const { system, disk } = makeSystem();
    const uses = (address: bigint) => openHost(system, "wan").usesAddress(address);
    const address = 0x20010db8001334000000c00002130034n;
    expect(uses(address)).toBe(false);
    disk.set(
      "/proc/net/if_inet6",
      `00000000000000000000000000000001 01 80 10 80       lo
20010db8001334000000c00002130034 0a 80 00 c0      wan
fe800000000000000000c00002130034 0a 40 20 80      wan
`,
    );
    expect([uses(1n), uses(address), uses(address + 1n)]).toEqual([true, false, false]);
    const lo = "00000000000000000000000000000001 01 80 10 80       lo\n";
    for (const before of ["", lo]) {
      disk.set("/proc/net/if_inet6", `${before}20010db8001334000000c00002130034 0a 80 00 80      wan\n`);
      expect(uses(address)).toBe(true);
    }
    // Only the first word of a line is an address.
    disk.set("/proc/net/if_inet6", "x 20010db8001334000000c00002130034 0a 80 00 80      wan\n");
    expect(uses(address)).toBe(false);
  });

  test("a table of rules is read, a limited part of it, and there need be none", () => {
    const { system, disk } = makeSystem();
    const limits: unknown[] = [];
    const readText: System["files"]["readText"] = (path, limit) => {
      limits.push(limit);
      return disk.get(path);
    };
    const host = openHost({ ...system, files: { ...system.files, readText } }, "wan");
    disk.set("/etc/mapmin/rules.json", "{}");
    expect([host.readText("/etc/mapmin/rules.json"), host.readText("/x")]).toEqual(["{}", undefined]);
    expect(limits).toEqual([TABLE_LIMIT, TABLE_LIMIT]);
  });

  test("waits for as long as it is told", async () => {
    const { system } = makeSystem();
    const waits: number[] = [];
    await openHost({ ...system, sleep: async (ms) => void waits.push(ms) }, "wan").sleep(250);
    expect(waits).toEqual([250]);
  });

  test("an MTU is set, and a device is taken down with its other flags kept", () => {
    const { system, disk } = makeSystem();
    const host = openHost(system, "wan");
    disk.set("/sys/class/net/map-wan/mtu", "1500\n");
    disk.set("/sys/class/net/map-wan/flags", "0x10c1\n");
    host.setDeviceMtu("map-wan", 1280);
    host.shutDevice("map-wan");
    expect(disk.get("/sys/class/net/map-wan/mtu")).toBe("1280\n");
    expect(disk.get("/sys/class/net/map-wan/flags")).toBe("0x10c0\n");
    expect(() => host.setDeviceMtu("gone", 1280)).toThrow("No such file or directory");
    expect(() => host.shutDevice("gone")).toThrow(EffectError);
  });

  test("a tunnel is told by its device's type, and is deleted by ip", async () => {
    const { system, disk } = makeSystem();
    const runs: unknown[] = [];
    const run: System["run"] = async (...words) => `${runs.push(words)}`;
    const host = openHost({ ...system, run }, "wan", "teardown");
    disk.set("/sys/class/net/map-wan/type", "769\n");
    // The module's own device, and a tunnel over IPv4.
    disk.set("/sys/class/net/map-lan/type", "65534\n");
    disk.set("/sys/class/net/map-dmz/type", "768\n");
    const names = ["map-wan", "map-lan", "map-dmz", "gone"];
    expect(await Promise.all(names.map((name) => host.deleteTunnel(name)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(runs).toEqual([["ip", ["link", "del", "map-wan"], { limitMs: 4_000 }]]);
  });
});

test("state files are under /var/run/mapmin, by interface; the log is of the interface; the time is the system's", () => {
  const { system, disk } = makeSystem();
  const host = openHost(system, "wan");
  expect(host.readState("wan")).toBeUndefined();
  host.writeState("wan", "state=up\n");
  expect([...disk]).toEqual([["/var/run/mapmin/wan.state", "state=up\n"]]);
  expect(host.readState("wan")).toBe("state=up\n");
  host.removeState("wan");
  host.log("step", "ok", "detail");
  expect([...disk]).toEqual([["/tmp/map.log", "2026-01-02T03:04:05Z wan ok step | detail\n"]]);
  expect(host.now()).toEqual(new Date("2026-01-02T03:04:05Z"));
});

describe("netifd's handler", () => {
  test("help, and too few words", async () => {
    const { system, printed } = makeSystem();
    expect(await runProto(["--help"], system)).toBe(0);
    expect(await runProto(["map", "setup"], system)).toBe(2);
    expect(printed[0]).toContain("usage: proto map setup|teardown|renew INTERFACE JSON [DEVICE]");
    expect(printed[1]).toBe(printed[0]);
    expect(printed).toHaveLength(2);
  });

  test("options that are not valid are told to netifd, to the log and on standard error", async () => {
    const { system, called, disk, printed, connections } = makeSystem();
    expect(await runProto(["map", "setup", "wan_map", '{"mtu":"x"}'], system)).toBe(1);
    expect(called.map(([call]) => call.slice(0, 70))).toEqual([
      'network.interface notify_proto {"interface":"wan_map","action":3,"erro',
    ]);
    expect(disk.get("/tmp/map.log")).toMatch(/Z wan_map failed setup \| INVALID_OPTION: mtu: /);
    expect(printed.join("")).toMatch(/^mtu: .*\n$/);
    expect(connections()).toBe(0);
  });

  test("a name that is not valid can only be told to the log", async () => {
    const { system, called, disk, connections } = makeSystem();
    expect(await runProto(["map", "setup", "a/b", "{}"], system)).toBe(1);
    expect(called).toEqual([]);
    expect(disk.get("/tmp/map.log")).toMatch(/Z - failed setup \| /);
    expect(connections()).toBe(0);
  });

  test("a bug ends the program, and the connection is closed", async () => {
    const { system, connections } = makeSystem({
      reply: async () => {
        throw new TypeError("x is not a function");
      },
    });
    await expect(runProto(["map", "setup", "wan_map", "{}"], system)).rejects.toThrow(TypeError);
    expect(connections()).toBe(0);
  });
});
