import { beforeEach, expect, test } from "vitest";
import { runUpnp, upnpHelp } from "../../../src/cli/upnp.ts";
import { EffectError } from "../../../src/wire/errors.ts";
import { makeTerminal } from "./terminal.ts";

const disk = new Map<string, string>();
const ran: string[] = [];
const records: string[] = [];
/** Programs that fail, by their command line. */
let failing = new Map<string, string>();
let shown = "";

async function upnp(...argv: string[]) {
  const terminal = makeTerminal();
  const files = {
    readText: (path: string) => disk.get(path),
    namesIn: (directory: string) =>
      [...disk.keys()]
        .filter((path) => path.startsWith(`${directory}/`))
        .map((path) => path.slice(directory.length + 1)),
    appendBounded: (_path: string, record: string) => void records.push(record.trim().slice(21)),
  };
  const run = async (file: string, args: readonly string[], { input = "" } = {}) => {
    const words = [file, ...args].join(" ");
    ran.push(...(input === "" ? [words] : [words, ...input.trim().split("\n")]));
    const why = failing.get(words);
    if (why !== undefined) throw new EffectError(words, why);
    return words === "uci -q show upnpd" ? shown : "";
  };
  const system = { ...terminal, files, run, now: () => new Date(0) } as never;
  const code = await runUpnp(argv, system);
  return { code, out: terminal.out(), err: terminal.err() };
}

const state = (more: string) => `interface=wan_map\nstate=up\nsince=x\nipv4=192.0.2.18/32\n${more}`;
const STATE = "/var/run/mapmin/wan_map.state";

beforeEach(() => {
  disk.clear();
  disk.set("/etc/config/upnpd", "config upnpd 'config'\n");
  disk.set(STATE, state("upnp_ports=62272-62287\n"));
  ran.length = 0;
  records.length = 0;
  failing = new Map();
  shown = "upnpd.config=upnpd\n";
});

test("tells miniupnpd, has it read that, and writes what it told to the log", async () => {
  expect(await upnp()).toEqual({ code: 0, out: "ports for miniupnpd: 62272-62287\n", err: "" });
  expect(ran.slice(0, 3)).toEqual(["uci -q show upnpd", "uci batch", "set upnpd.mapmin_0=perm_rule"]);
  expect(ran).toContain("set upnpd.mapmin_0.ext_ports='62272-62287'");
  expect(ran.slice(-3)).toEqual([
    "commit upnpd",
    "/etc/init.d/miniupnpd enabled",
    "/etc/init.d/miniupnpd restart",
  ]);
  expect(records).toEqual(["wan_map ok ports for miniupnpd | 62272-62287; miniupnpd starts anew"]);
});

test("a service that is not enabled is not started", async () => {
  failing.set("/etc/init.d/miniupnpd enabled", "exit code 1");
  expect((await upnp()).code).toBe(0);
  expect(ran.at(-1)).toBe("/etc/init.d/miniupnpd enabled");
  expect(records).toEqual(["wan_map ok ports for miniupnpd | 62272-62287; miniupnpd is not enabled"]);
});

test("--dry-run prints the commands, and does nothing", async () => {
  const { out } = await upnp("--dry-run");
  expect(out).toContain("set upnpd.config.external_ip='192.0.2.18'\n");
  expect(ran).toEqual(["uci -q show upnpd"]);
  expect(records).toEqual([]);
});

test("without ports there is nothing to tell, and what was told before is taken away", async () => {
  disk.set(STATE, state(""));
  expect(await upnp()).toEqual({ code: 0, out: "", err: "" });
  shown += "upnpd.mapmin_0=perm_rule\n";
  expect((await upnp()).out).toBe("ports for miniupnpd: none any more\n");
  expect(ran).toContain("delete upnpd.mapmin_0");
  expect(records).toEqual(["upnpd ok ports for miniupnpd | none any more; miniupnpd starts anew"]);
});

test("ranges are told one after the other", async () => {
  disk.set(STATE, state("upnp_ports=5000 5002-5003\n"));
  expect((await upnp()).out).toBe("ports for miniupnpd: 5000 5002-5003\n");
});

test.each([
  ["is damaged", "upnp_ports=5000\n"],
  ["has no address", state("upnp_ports=5000\n").replace(/ipv4=.*\n/, "")],
])("a state file that %s gives no ports", async (_title, text) => {
  disk.set(STATE, text);
  expect(await upnp()).toEqual({ code: 0, out: "", err: "" });
});

test("--help", async () => {
  expect(await upnp("--help")).toEqual({ code: 0, out: upnpHelp, err: "" });
  expect(upnpHelp).toMatch(/^usage: mapminctl upnp \[--dry-run\]\n/);
  expect(ran).toEqual([]);
});

test("an interface that has failed has no ports, and another one may have", async () => {
  disk.set(STATE, state("upnp_ports=62272-62287\n").replace("state=up", "state=failed"));
  expect((await upnp()).out).toBe("");
  disk.set("/var/run/mapmin/wan_two.state", state("upnp_ports=5000\n").replace("wan_map", "wan_two"));
  expect((await upnp()).out).toBe("ports for miniupnpd: 5000\n");
  expect(ran).toContain("set upnpd.config.external_iface='wan_two'");
});

test("where miniupnpd is not installed, it says what to install", async () => {
  disk.delete("/etc/config/upnpd");
  await expect(upnp()).rejects.toThrow(
    "upnp_ports: there is no /etc/config/upnpd: install the package miniupnpd-nftables",
  );
  disk.set(STATE, state(""));
  expect(await upnp()).toEqual({ code: 0, out: "", err: "" });
  expect(ran).toEqual([]);
});

test.each([
  ["ports that are none", state("upnp_ports=0-70000\n"), "upnp_ports"],
  ["an address that is none", state("upnp_ports=5000\n").replace("192.0.2.18", "x'; reboot"), "prefix"],
  [
    "a name that is none",
    state("upnp_ports=5000\n").replace("interface=wan_map", "interface=a b"),
    "wan_map.state",
  ],
])("a state file with %s is refused, and reaches no program", async (_title, text, why) => {
  disk.set(STATE, text);
  await expect(upnp()).rejects.toThrow(why);
  expect(ran).toEqual([]);
});

test("uci that fails is told, and written to the log", async () => {
  failing.set("uci batch", "no space left");
  await expect(upnp()).rejects.toThrow("no space left");
  expect(records[0]).toContain("failed ports for miniupnpd | uci batch: no space left");
});
