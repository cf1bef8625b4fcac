/** What netifd and odhcp6c start: `proto` and `hook`, with a ubus and programs that answer what a test wants. */
import { describe, expect, test } from "vitest";
import { runHook } from "../../../src/cli/hook.ts";
import { protoHelp, runProto } from "../../../src/cli/proto.ts";
import type { Environment, System } from "../../../src/system/system.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

/** ubus's status for an object, or an interface, that is not there. */
const NOT_FOUND = 4;

interface World {
  readonly environment?: Environment;
  /** What programs print; one that is not here is not installed. */
  readonly programs?: Readonly<Record<string, string>>;
  /** What ubus answers; nothing is found without it. */
  readonly reply?: unknown;
  readonly states?: Readonly<Record<string, string>>;
  /** Interfaces with the file of a lock, which has no text. */
  readonly locks?: readonly string[];
  /** Files cannot be removed. */
  readonly stuck?: boolean;
  /** Files that are there. */
  readonly configured?: readonly string[];
}

const NETWORK = "/etc/config/network";

/** Runs a program, and gives its exit code or its error with all that it did. */
async function run(
  program: (argv: readonly string[], system: System) => Promise<number>,
  argv: readonly string[],
  {
    environment = {},
    programs = {},
    reply,
    states = {},
    locks = [],
    stuck = false,
    configured = [],
  }: World = {},
) {
  const terminal = makeTerminal();
  const done: string[] = [];
  const disk = new Map(Object.entries(states).map(([name, text]) => [`/var/run/mapmin/${name}.state`, text]));
  for (const name of locks) disk.set(`/var/run/mapmin/${name}.lock`, "");
  let open = 0;
  const end = await program(argv, {
    ...terminal,
    environment,
    files: {
      ...terminal.files,
      readText: (path) => (configured.includes(path) ? "config" : disk.get(path)),
      replaceFile: (path, text) => void disk.set(path, text),
      removeFile: (path) => {
        if (stuck) throw new EffectError(path, "Read-only file system");
        disk.delete(path);
      },
      appendBounded: (_path, record) => void done.push(`log ${record.trimEnd()}`),
    },
    async run(file, words) {
      done.push([file, ...words].join(" "));
      const printed = programs[file];
      if (printed === undefined) throw new EffectError(file, "not installed");
      return printed;
    },
    openBus() {
      open++;
      return {
        async call(object, method, args) {
          done.push(`${object} ${method} ${JSON.stringify(args)}`);
          if (reply === undefined && method === "status")
            throw new EffectError("ubus", "not found", { status: NOT_FOUND });
          if (reply instanceof Error) throw reply;
          return reply ?? {};
        },
        close: () => {
          open--;
        },
      };
    },
  }).catch((error: unknown) => error);
  return { end, done, out: terminal.out(), err: terminal.err(), states: [...disk.keys()], open };
}

describe("hook", () => {
  const help = `usage: hook INTERFACE STATE

Run by /etc/odhcp6c.user.d/mapmin when a lease has changed. Reads OPTION_48879 and PREFIXES from the environment and
offers, replaces or withdraws the interface INTERFACE_4.
`;
  const lease = { OPTION_48879: "0042020015", PREFIXES: "2001:db8:12:3400::/56,1800,3600" };
  const nothing = { done: [], out: "", err: "", states: [], open: 0 };

  test("tells what it is for when it is asked, and when it is called wrongly", async () => {
    expect(await run(runHook, ["--help"])).toEqual({ ...nothing, end: 0, out: help });
    expect(await run(runHook, [])).toEqual({ ...nothing, end: 2, err: help });
  });

  const offer = (more: object) =>
    JSON.stringify({ name: "wan6_4", ifname: "@wan6", proto: "map", tunlink: "wan6", ...more });
  test.each([
    ["in a zone", { ZONE: "wan" }, { zone: "wan" }],
    ["where the zone is empty", { ZONE: "" }, {}],
    ["where no zone is set", {}, {}],
  ])("offers an interface that netifd does not have, %s", async (_title, zone, more) => {
    for (const configured of [[], [NETWORK]]) {
      const world = { environment: { ...lease, ...zone }, programs: { uci: "" }, configured };
      expect(await run(runHook, ["wan6", "bound"], world)).toEqual({
        ...nothing,
        end: 0,
        done: [
          ...configured.map(() => "uci -q show network"),
          'network.interface status {"interface":"wan6_4"}',
          `network add_dynamic ${offer(more)}`,
          `log 2026-01-02T03:04:05Z wan6_4 ok offer the interface | ubus call network add_dynamic ${offer(more)}`,
        ],
      });
    }
  });

  test("offers nothing where the configuration has a MAP interface for the link", async () => {
    const uci = "network.mine=interface\nnetwork.mine.proto='map'\nnetwork.mine.tunlink='wan6'\n";
    expect(
      await run(runHook, ["wan6", "bound"], { environment: lease, programs: { uci }, configured: [NETWORK] }),
    ).toEqual({
      ...nothing,
      end: 0,
      done: [
        "uci -q show network",
        "log 2026-01-02T03:04:05Z wan6_4 note lease | mine is configured for wan6: nothing offered",
        'network.interface status {"interface":"wan6_4"}',
      ],
    });
  });

  test("offers nothing while UCI cannot tell what is configured, and says so in the log", async () => {
    const { end, done } = await run(runHook, ["wan6", "bound"], {
      environment: lease,
      configured: [NETWORK],
    });
    expect(end).toEqual(new EffectError("uci", "not installed"));
    expect(done).toEqual([
      "uci -q show network",
      "log 2026-01-02T03:04:05Z wan6_4 failed lease | uci: not installed",
    ]);
  });

  test("closes its connection when ubus fails, and tells why", async () => {
    const failure = new EffectError("ubus", "no ubusd");
    const { end, open } = await run(runHook, ["wan6", "bound"], { environment: lease, reply: failure });
    expect([end, open]).toEqual([failure, 0]);
  });
});

describe("proto", () => {
  test("tells what it is for when it is asked, and when it is called wrongly", async () => {
    const nothing = { done: [], out: "", err: "", states: [], open: 0 };
    expect(await run(runProto, ["map", "setup", "--help"])).toEqual({ ...nothing, end: 0, out: protoHelp });
    expect(await run(runProto, ["map", "setup"])).toEqual({ ...nothing, end: 2, err: protoHelp });
    expect(protoHelp).toMatch(/^usage: proto map setup\|teardown\|renew INTERFACE JSON \[DEVICE\]\n/);
  });

  test("tells netifd of a call without options", async () => {
    const said = 'network.interface notify_proto {"interface":"wan_map","action":';
    const error = `${said}3,"error":["INVALID_OPTION","configuration: is not JSON"]}`;
    const log = "log 2026-01-02T03:04:05Z wan_map";
    expect(await run(runProto, ["map", "setup", "wan_map"])).toEqual({
      end: 1,
      done: [
        `${log} failed setup | INVALID_OPTION: configuration: is not JSON`,
        error,
        `${log} ok report the error | ubus call ${error}`,
      ],
      out: "",
      err: "configuration: is not JSON\n",
      states: [],
      open: 0,
    });
  });

  test.each(["setup", "teardown", "renew"])(
    "removes the file of its lock when %s has ended",
    async (action) => {
      const done = run(runProto, ["map", action, "wan_map", "{}"], { locks: ["wan_map", "wan_two"] });
      const locks = (await done).states.filter((path) => path.endsWith(".lock"));
      expect(locks).toEqual(["/var/run/mapmin/wan_two.lock"]);
    },
  );

  test("removes it, too, when the call cannot be read", async () => {
    const { end, states } = await run(runProto, ["map", "setup", "wan_map"], { locks: ["wan_map"] });
    expect({ end, states }).toEqual({ end: 1, states: [] });
  });

  test("ends as it would have when the file cannot be removed", async () => {
    const stuck = { locks: ["wan_map"], stuck: true };
    expect((await run(runProto, ["map", "setup", "wan_map"], stuck)).end).toBe(1);
  });

  test("has no lock for an interface whose name is not valid", async () => {
    const locks = ["undefined"];
    const { states } = await run(runProto, ["map", "setup", "a/b", "{}"], { locks });
    expect(states).toEqual(["/var/run/mapmin/undefined.lock"]);
  });

  test("tells the log alone of an interface whose name is not valid", async () => {
    const message =
      "interface: is not the name of an interface: 1 to 64 letters, digits, '_', '-' or '.', the first no '-' or '.'";
    expect(await run(runProto, ["map", "setup", "a/b", "{}"])).toEqual({
      end: 1,
      done: [`log 2026-01-02T03:04:05Z - failed setup | ${message}`],
      out: "",
      err: `${message}\n`,
      states: [],
      open: 0,
    });
  });

  test("takes an interface away", async () => {
    const states = { wan_map: "interface=wan_map\nstate=up\nsince=now\ndevice=map-wan_map\n" };
    const world = { states, programs: { nft: "" } };
    const { end, done, ...rest } = await run(runProto, ["map", "teardown", "wan_map", "{}"], world);
    expect({ end, ...rest }).toEqual({ end: 0, out: "", err: "", states: [], open: 0 });
    expect(done).toEqual([
      "nft list table ip mapmin_wan__map_fwd",
      "nft -f -",
      "log 2026-01-02T03:04:05Z wan_map ok remove the port forwards | nft -f - (table ip mapmin_wan__map_fwd)",
      "nft -f -",
      "log 2026-01-02T03:04:05Z wan_map ok remove the NAT | nft delete table ip mapmin_wan__map",
      "log 2026-01-02T03:04:05Z wan_map ok teardown",
    ]);
  });
});
