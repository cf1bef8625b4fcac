import { expect, test } from "vitest";
import { parseInterfaceName } from "../../../src/ip/names.ts";
import { upnpdCommands } from "../../../src/render/upnpd.ts";

const grant = {
  iface: parseInterfaceName("wan_map", "interface"),
  address: "192.0.2.18",
  ports: [
    [58_176, 58_191],
    [62_272, 62_272],
  ],
} as const;

/** OpenWrt 24.10's, as `uci show` prints it. */
const old = `upnpd.config=upnpd
upnpd.config.enabled='1'
upnpd.config.internal_iface='lan'
upnpd.@perm_rule[0]=perm_rule
upnpd.@perm_rule[0].action='allow'
`;
/** OpenWrt main's: networks have rules of their own. */
const newer = `upnpd.settings=upnpd
upnpd.settings.enabled='1'
upnpd.@internal_network[0]=internal_network
upnpd.@internal_network[0].interface='lan'
upnpd.guests=internal_network
`;

function ruleOf(section: string, action: string, external: string, internal: string) {
  return [
    `set upnpd.${section}=perm_rule`,
    `set upnpd.${section}.action='${action}'`,
    `set upnpd.${section}.ext_ports='${external}'`,
    `set upnpd.${section}.int_addr='0.0.0.0/0'`,
    `set upnpd.${section}.int_ports='${internal}'`,
    `set upnpd.${section}.comment='mapmin'`,
  ];
}
const rules = [
  ...ruleOf("mapmin_0", "allow", "58176-58191", "1024-65535"),
  ...ruleOf("mapmin_1", "allow", "62272", "1024-65535"),
  ...ruleOf("mapmin_2", "deny", "0-65535", "0-65535"),
];
const first = ["reorder upnpd.mapmin_2=0", "reorder upnpd.mapmin_1=0", "reorder upnpd.mapmin_0=0"];

/** What `uci show` prints after the commands. */
function after(shown: string, commands: readonly string[]): string {
  const lines = shown.split("\n").filter((line) => line !== "");
  const sets = commands.filter((line) => line.startsWith("set ")).map((line) => line.slice(4));
  return `${[...lines, ...sets].join("\n")}\n`;
}

test("its rules come first, and with them the interface and the shared address", () => {
  expect(upnpdCommands(old, grant)).toEqual([
    ...rules,
    "set upnpd.config.external_iface='wan_map'",
    "set upnpd.config.external_ip='192.0.2.18'",
    ...first,
    "commit upnpd",
  ]);
});

test("rules that networks of the LAN have of their own come after ours", () => {
  expect(upnpdCommands(newer, grant)).toEqual([
    ...rules,
    "set upnpd.settings.external_iface='wan_map'",
    "set upnpd.settings.external_ip='192.0.2.18'",
    "set upnpd.@internal_network[0].acl_custom_first='1'",
    "set upnpd.guests.acl_custom_first='1'",
    ...first,
    "commit upnpd",
  ]);
});

test("what is as it should be is not written again: a router's flash wears out", () => {
  for (const shown of [old, newer])
    expect(upnpdCommands(after(shown, upnpdCommands(shown, grant)), grant)).toEqual([]);
});

test("another set takes the place of the one before", () => {
  const shown = after(old, upnpdCommands(old, grant));
  const commands = upnpdCommands(shown, { ...grant, address: "192.0.2.19", ports: [[58_192, 58_207]] });
  expect(commands.slice(0, 3)).toEqual([
    "delete upnpd.mapmin_0",
    "delete upnpd.mapmin_1",
    "delete upnpd.mapmin_2",
  ]);
  expect(commands).toContain("set upnpd.mapmin_0.ext_ports='58192-58207'");
  expect(commands).toContain("set upnpd.config.external_ip='192.0.2.19'");
  // One range fewer: none of the old ones may stay.
  expect(upnpdCommands(shown, { ...grant, ports: [[58_176, 58_191]] })).not.toEqual([]);
});

test("no ports any more: what we told is taken away, and nothing else", () => {
  expect(upnpdCommands(old, undefined)).toEqual([]);
  expect(upnpdCommands(after(newer, upnpdCommands(newer, grant)), undefined)).toEqual([
    "delete upnpd.mapmin_0",
    "delete upnpd.mapmin_1",
    "delete upnpd.mapmin_2",
    "delete upnpd.settings.external_iface",
    "delete upnpd.settings.external_ip",
    "delete upnpd.@internal_network[0].acl_custom_first",
    "delete upnpd.guests.acl_custom_first",
    "commit upnpd",
  ]);
});

test("a configuration without the service is refused by name", () => {
  expect(() => upnpdCommands("upnpd.x=perm_rule\n", grant)).toThrow(
    "/etc/config/upnpd: has no section of the type upnpd",
  );
});

test("a section of ours too many, or one value that differs, is corrected", () => {
  const shown = after(old, upnpdCommands(old, grant));
  for (const stale of ["mapmin_3", "mapmin_12"]) {
    const commands = upnpdCommands(`${shown}upnpd.${stale}=perm_rule\n`, grant);
    expect(commands).toContain(`delete upnpd.${stale}`);
  }
  expect(upnpdCommands(shown, { ...grant, address: "192.0.2.19" })).toContain(
    "set upnpd.config.external_ip='192.0.2.19'",
  );
});

test("what is not there is not taken away: uci would refuse it", () => {
  expect(upnpdCommands(`${newer}upnpd.mapmin_0=perm_rule\n`, undefined)).toEqual([
    "delete upnpd.mapmin_0",
    "commit upnpd",
  ]);
  expect(upnpdCommands("upnpd.mapmin_0=perm_rule\n", undefined)).toEqual([
    "delete upnpd.mapmin_0",
    "commit upnpd",
  ]);
});

test("sections are told by their types, to the end of the line, and never by a value", () => {
  const odd = `upnpd.a.note='see upnpd.mapmin_7='
upnpd.a.note='see upnpd.b=upnpd
upnpd.a.note='see upnpd.c=internal_network
upnpd.d=upnpd_old
upnpd.e=internal_network_old
${newer}upnpd.@internal_network[10]=internal_network
`;
  const commands = upnpdCommands(odd, grant);
  expect(commands.filter((line) => line.startsWith("delete"))).toEqual([]);
  expect(commands.filter((line) => /external_iface|acl/.test(line))).toEqual([
    "set upnpd.settings.external_iface='wan_map'",
    "set upnpd.@internal_network[0].acl_custom_first='1'",
    "set upnpd.guests.acl_custom_first='1'",
    "set upnpd.@internal_network[10].acl_custom_first='1'",
  ]);
});
