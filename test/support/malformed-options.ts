/**
 * Random and mutated options: nothing but the declared errors may come out, and what was decoded must survive being
 * written and read again.
 */

import { explain } from "../../src/cli/explain.ts";
import { decodeChain, type Findings } from "../../src/dhcpv6/decode.ts";
import { encodeChain } from "../../src/dhcpv6/encode.ts";
import { parseInterfaceName } from "../../src/ip/names.ts";
import type { Ipv6Prefix } from "../../src/ip/prefix.ts";
import { provision } from "../../src/provision/choose.ts";
import { MapminError } from "../../src/wire/errors.ts";
import { formatHex, Reader } from "../../src/wire/reader.ts";
import { type Random, random } from "./random.ts";

const SEEDS = [
  "beef002100" + "4202000f2001010101040034200106f8147e10" + "4203000940261000d01208cafe",
  "005e00250059000d011018c00002002820010db800005a001020010db8ffff00000000000000000001",
  "005f001e0059000d001018c00002002820010db800005b00094020010db8ffff0000",
  "005e002f00590017000020c00002123820010db8001234005d000406083400005a001020010db8ffff00000000000000000001",
  "005f002900590018000c17cb0070003020010db800000000005d000400034000005b00094020010db8ffff0000",
  "0011001f000000094202000d18c000020010002820010db80042030009" + "40261000d01208cafe",
  "006f0004005f005e",
].map((hex) => Uint8Array.from(Buffer.from(hex, "hex")));

const prefixes: readonly Ipv6Prefix[] = [
  { address: 0x20010db80012340000000000_00000000n << 32n, length: 56 },
  { address: 0x20010db8000000200000000000000000n, length: 60 },
];

const iface = parseInterfaceName("wan6_4", "interface");
const around = { tunlink: parseInterfaceName("wan6", "tunlink"), linkMtu: 1500, neighbours: [] };

function mutate(source: Uint8Array, next: Random): Uint8Array {
  let octets = Array.from(source);
  for (let edits = 1 + next(4); edits > 0; edits--) {
    const at = next(octets.length + 1);
    switch (next(5)) {
      case 0:
        octets[at % Math.max(octets.length, 1)] = next(256);
        break;
      case 1:
        octets.splice(at, 1 + next(4));
        break;
      case 2:
        octets.splice(at, 0, ...Array.from({ length: 1 + next(4) }, () => next(256)));
        break;
      case 3:
        octets = octets.slice(0, at);
        break;
      default: {
        const other = SEEDS[next(SEEDS.length)] ?? new Uint8Array();
        octets.splice(at, 0, ...other.subarray(next(other.length)));
      }
    }
  }
  return Uint8Array.from(octets.slice(0, 4096));
}

function decode(octets: Uint8Array) {
  const findings: Findings = { errors: [], remarks: [] };
  return { ...decodeChain(new Reader(octets, ""), "dhcpv6", findings), findings };
}

/** One input through everything that reads options. Throws what was not declared. */
export function tryOption(octets: Uint8Array): void {
  const { options, unknown } = decode(octets);
  const written = encodeChain(options, unknown);
  const again = decode(written);
  // Padding and broken neighbours are gone now: the second reading must be clean and lead to the same octets.
  if (again.findings.errors.length > 0 || again.findings.remarks.length > 0) {
    throw new Error(`what was written is not clean: ${formatHex(written)}`);
  }
  if (formatHex(encodeChain(again.options, again.unknown)) !== formatHex(written)) {
    throw new Error(`not stable: ${formatHex(written)}`);
  }
  explain(formatHex(octets), prefixes);
  try {
    provision(
      iface,
      {},
      { ...around, link: { up: true, device: "", prefixes, passthru: formatHex(octets) } },
    );
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
  }
}

/** Runs `count` inputs. @throws the first undeclared error, with the input that caused it */
export function fuzzOptions(count: number, seed: number, progress: (done: number) => void = () => {}): void {
  const next = random(seed);
  for (let done = 0; done < count; done++) {
    const octets =
      next(4) === 0
        ? Uint8Array.from({ length: next(80) }, () => next(256))
        : mutate(SEEDS[next(SEEDS.length)] ?? new Uint8Array(), next);
    try {
      tryOption(octets);
    } catch (error) {
      throw new Error(`seed ${seed}, input ${done}: ${formatHex(octets)}`, { cause: error });
    }
    if ((done + 1) % 100_000 === 0) progress(done + 1);
  }
}
