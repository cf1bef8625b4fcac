/** Prints the rulesets that the guest tries, and what it has to know of each, as JSON. */

import { parseDeviceName } from "../../../src/ip/names.ts";
import { formatIpv4, parseIpv4Prefix } from "../../../src/ip/text.ts";
import type { NatPlan } from "../../../src/map/plan.ts";
import { portRanges } from "../../../src/map/port-set.ts";
import { virtualBlock } from "../../../src/map/virtual-block.ts";
import { renderNft, renderNftDelete } from "../../../src/render/nft.ts";

const table = "mapmin_test";

function ruleset(
  name: string,
  ipv4: string,
  [offset, psidLength, psid]: readonly [number, number, number],
  reservedPorts: readonly number[] = [],
) {
  const plan: NatPlan = {
    table,
    device: parseDeviceName("map0", "device"),
    ipv4: parseIpv4Prefix(ipv4),
    portSet: { offset, psidLength, psid },
    reservedPorts,
    mtu: 1480,
  };
  const block = virtualBlock(plan);
  return {
    name,
    table,
    address: formatIpv4(plan.ipv4.address),
    prefixLength: plan.ipv4.length,
    restricted: psidLength > 0,
    ranges: portRanges(plan.portSet),
    reserved: reservedPorts,
    blockStart: block?.start ?? 0,
    blockLength: block?.ports.length ?? 0,
    rewritten: block?.rewritten ?? false,
    script: renderNft(plan),
    cleanup: renderNftDelete(table),
  };
}

const rulesets = [
  ruleset("15x16", "198.51.100.7/32", [4, 8, 100]),
  ruleset("63x16", "198.51.100.7/32", [6, 6, 17]),
  ruleset("63x4", "198.51.100.7/32", [6, 8, 52]),
  ruleset("15x256", "198.51.100.7/32", [4, 4, 14]),
  ruleset("one range of 256", "198.51.100.7/32", [0, 8, 52]),
  ruleset("15x16 with reserved ports", "198.51.100.7/32", [4, 8, 100], [5696, 9800]),
  ruleset("overlapping block, 4032 ports", "198.51.100.7/32", [6, 4, 0]),
  ruleset("whole address", "198.51.100.7/32", [6, 0, 0]),
  ruleset("whole address with reserved ports", "198.51.100.7/32", [6, 0, 0], [5696, 20000]),
  ruleset("prefix of 16 addresses", "198.51.100.16/28", [6, 0, 0]),
];
process.stdout.write(`${JSON.stringify(rulesets)}\n`);
