import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type Jsonfilter,
  makeSandbox,
  repositoryFile,
  type Sandbox,
  shells,
  startJsonfilter,
  UNTOUCHED,
} from "../../support/shell-sandbox.ts";

const HOOK = "files/etc/hotplug.d/iface/30-mapmin";
const LIB = repositoryFile("files/usr/lib/mapmin");

const wan6 = {
  interface: "wan6",
  up: true,
  pending: false,
  autostart: true,
  proto: "dhcpv6",
  "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 56, valid: 3600 }],
  "ipv6-address": [{ address: "2001:db8::2", mask: 128, valid: 3600 }],
  data: { passthru: "beef0001ff" },
};
const withoutOption = { ...wan6, data: {} };
const errors = [{ subsystem: "map", code: "NO_RULE" }];

const failed = { proto: "map", up: false, pending: true, autostart: true, errors };
const states = {
  failed,
  "taken down after a failure": { ...failed, pending: false, autostart: false },
  "taken down by the user": { proto: "map", up: false, pending: false, autostart: false },
  "waiting for its link": { proto: "map", up: false, pending: false, autostart: true, errors },
  "being set up": { proto: "map", up: false, pending: true, autostart: true },
  up: { proto: "map", up: true, pending: false, autostart: true },
  "up after a renewal": { proto: "map", up: true, pending: false, autostart: false, errors },
};

const configured = "network.wan_map=interface\nnetwork.wan_map.proto=map\nnetwork.wan_map.tunlink=wan6\n";
const renewal = 'renew {"interface":"wan_map"}';

let jsonfilter: Jsonfilter;
beforeAll(() => {
  jsonfilter = startJsonfilter();
});
afterAll(() => jsonfilter.stop());

/** Each row starts several fake programs: one shell gets all of a table, the others its first. */
const [first] = shells;

describe.each(shells)("the hotplug hook in %s", (name, shell) => {
  let sandbox: Sandbox;
  const some = <Row>(rows: readonly Row[]): readonly Row[] => (name === first?.[0] ? rows : rows.slice(0, 1));

  beforeEach(() => {
    sandbox = makeSandbox(shell);
    const log = sandbox.path("calls");
    sandbox.program(
      "ubus",
      `#!/bin/sh
[ "$1 $2 $3" = "-S call network.interface" ] || exit 2
if [ "$4" = dump ]; then cat '${sandbox.path("dump")}'; else echo "ubus $4 $5" >>'${log}'; fi
`,
    );
    sandbox.program(
      "uci",
      `#!/bin/sh
[ "$1 $2" = "-q get" ] || exit 2
while IFS= read -r line; do
  case $line in "$3="*) echo "\${line#*=}"; exit 0 ;; esac
done <'${sandbox.path("uci")}'
exit 1
`,
    );
    sandbox.program("jsonfilter", jsonfilter.program);
    sandbox.program("node", `#!/bin/sh\necho node >>'${log}'\n`);
    writeFileSync(sandbox.path("uci"), configured);
  });
  afterEach(() => sandbox.remove());

  const world = (map: object, link: object = wan6, mapName = "wan_map") =>
    writeFileSync(
      sandbox.path("dump"),
      JSON.stringify({
        interface: [{ interface: "lan", proto: "static" }, link, { interface: mapName, ...map }],
      }),
    );
  const event = (variables: Record<string, string>) => {
    const sourced = sandbox.source(HOOK, ["iface"], { MAPMIN_LIB: LIB, INTERFACE: "wan6", ...variables });
    expect(sourced).toMatchObject({ status: 0, stdout: UNTOUCHED, stderr: "" });
    const calls = sandbox.calls();
    expect(calls).not.toContain("node");
    return calls.filter((line) => line.startsWith("ubus ")).map((line) => line.slice("ubus ".length));
  };
  const ifup = { ACTION: "ifup" };
  const update = { ACTION: "ifupdate", IFUPDATE_DATA: "1" };

  test.each(
    some([
      ["failed", ifup, renewal],
      ["failed", update, renewal],
      ["taken down after a failure", ifup, undefined],
      ["taken down after a failure", update, undefined],
      ["taken down by the user", ifup, undefined],
      ["taken down by the user", update, undefined],
      ["waiting for its link", ifup, undefined],
      ["waiting for its link", update, undefined],
      ["being set up", ifup, undefined],
      ["being set up", update, renewal],
      ["up", ifup, undefined],
      ["up", update, renewal],
      ["up after a renewal", update, renewal],
    ] as const),
  )("a MAP interface that is %s, at %o: %s", (state, variables, expected) => {
    world(states[state]);
    expect(event(variables)).toEqual(expected === undefined ? [] : [expected]);
  });

  describe("ports for miniupnpd", () => {
    const told = "upnpd.mapmin_0=perm_rule\n";
    test.each(
      some([
        ["ifup", "upnp_ports=62272-62287\n", configured, true],
        ["ifupdate", "upnp_ports=62272-62287\n", configured, true],
        ["ifup", "state=up\n", configured, false],
        ["ifup", "state=up\n", `${configured}${told}`, true],
        ["ifup", undefined, `${configured}${told}`, false],
        ["ifdown", undefined, `${configured}${told}`, false],
        ["ifdown", undefined, told, true],
        ["ifdown", undefined, "", false],
        ["ifnothing", "upnp_ports=62272-62287\n", configured, false],
      ] as const),
    )("%s, state %o, configuration %o: told %o", (ACTION, state, uci, expected) => {
      world(states.up);
      mkdirSync(sandbox.path("run"));
      if (state !== undefined) writeFileSync(sandbox.path("run/wan_map.state"), state);
      writeFileSync(sandbox.path("uci"), uci);
      const engine = sandbox.path("bin");
      sandbox.program("node", `#!/bin/sh\nshift\necho node "$@" >>'${sandbox.path("calls")}'\nexit 1\n`);
      const variables = { MAPMIN_LIB: LIB, MAPMIN_BIN: engine, INTERFACE: "wan_map", ACTION };
      expect(sandbox.source(HOOK, ["iface"], variables)).toMatchObject({ status: 0, stdout: UNTOUCHED });
      const started = sandbox.calls().filter((line) => line.startsWith("node"));
      expect(started).toEqual(expected ? ["node mapminctl upnp"] : []);
    });
  });

  test("an update with the same facts calls nothing: a wrong rule is not tried for ever", () => {
    world(failed);
    expect(event(update)).toEqual([renewal]);
    for (let advertisement = 0; advertisement < 3; advertisement++) {
      world(failed, {
        ...wan6,
        "ipv6-prefix": [{ ...wan6["ipv6-prefix"][0], valid: 3500 - advertisement }],
      });
      expect(event(update)).toEqual([]);
    }
  });

  test.each(
    some([
      ["the option", { ...wan6, data: { passthru: "beef0001fe" } }],
      ["no option any more", withoutOption],
      ["a prefix", { ...wan6, "ipv6-prefix": [{ address: "2001:db8:ff::", mask: 56 }] }],
      ["a prefix length", { ...wan6, "ipv6-prefix": [{ address: "2001:db8:12:3400::", mask: 60 }] }],
      ["an address", { ...wan6, "ipv6-address": [{ address: "2001:db8::3", mask: 128 }] }],
    ]),
  )("a change of %s is looked at", (_what, link) => {
    world(states.up);
    event(update);
    world(states.up, link);
    expect(event(update)).toEqual([renewal]);
    expect(event(update)).toEqual([]);
  });

  test("back to a prefix that has not gone yet: the other one is deprecated now", () => {
    const [first] = wan6["ipv6-prefix"];
    const both = (preferred: readonly [number, number]) => ({
      ...wan6,
      "ipv6-prefix": [
        { ...first, preferred: preferred[0] },
        { ...first, address: "2001:db8:13:3400::", preferred: preferred[1] },
      ],
    });
    world(states.up);
    event(update);
    world(states.up, both([0, 3600]));
    expect(event(update)).toEqual([renewal]);
    world(states.up, both([3600, 0]));
    expect(event(update)).toEqual([renewal]);
    world(states.up, both([3500, 0]));
    expect(event(update)).toEqual([]);
  });

  test.each([{}, { IFUPDATE_ROUTES: "1" }, { IFUPDATE_PREFIXES: "1" }])(
    "whatever netifd says of an update (%o), what the link has is looked at",
    (said) => {
      const variables = { ACTION: "ifupdate", ...said };
      world(states.up);
      expect(event(update)).toEqual([renewal]);
      expect(event(variables)).toEqual([]);
      world(states.up, { ...wan6, "ipv6-prefix": [{ address: "2001:db8:ff::", mask: 56 }] });
      expect(event(variables)).toEqual([renewal]);
    },
  );

  test("other events look at nothing", () => {
    world(failed);
    for (const variables of [{ ACTION: "create" }, { ACTION: "reload" }, {}])
      expect(event(variables)).toEqual([]);
  });

  test("a link that goes down is forgotten, and looked at when it is back", () => {
    world(failed);
    event(update);
    // Ours alone: another user who could open it could lock it.
    expect(statSync(sandbox.path("run")).mode & 0o777).toBe(0o700);
    writeFileSync(sandbox.path("run/wan6.lease"), "");
    writeFileSync(sandbox.path("run/wan_map.state"), "");
    expect(event({ ACTION: "ifdown" })).toEqual([]);
    expect(readdirSync(sandbox.path("run"))).toEqual(["wan_map.state"]);
    expect(event(ifup)).toEqual([renewal]);
    expect(event(update)).toEqual([]);
  });

  test.each(
    some([
      ["another link's", "wan_map", configured.replace("tunlink=wan6", "tunlink=wwan6"), false],
      [
        "configured without tunlink: wan6",
        "wan_map",
        configured.replace(/network.wan_map.tunlink.*\n/, ""),
        true,
      ],
      ["offered by OpenWrt's name", "wan6_4", "", true],
      ["offered for another link", "wwan6_4", "", false],
      ["offered by the user's name", "home", "network.wan6.iface_map=home\n", true],
    ]),
  )("a MAP interface that is %s", (_what, map, uci, looked) => {
    writeFileSync(sandbox.path("uci"), uci);
    world(failed, wan6, map);
    expect(event(ifup)).toEqual(looked ? [`renew {"interface":"${map}"}`] : []);
  });

  test("the MAP interface's own events do nothing", () => {
    world(failed);
    expect(event({ ...ifup, INTERFACE: "wan_map" })).toEqual([]);
    expect(event({ ...update, INTERFACE: "wan_map" })).toEqual([]);
  });

  test.each(["", "../x", "wan 6", "w'x", ".x", "-x", "$(reboot)"])("the name %j is refused", (link) => {
    world(failed);
    expect(event({ ...ifup, INTERFACE: link })).toEqual([]);
    expect(existsSync(sandbox.path("run"))).toBe(false);
  });

  test("names in netifd's answer that are none are passed over", () => {
    world(failed, wan6, `x"},"y`);
    expect(event(ifup)).toEqual([]);
  });
});
