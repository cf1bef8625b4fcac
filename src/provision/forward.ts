/** The list `forward`: ports of the set that belong to a host of the LAN, each line held against the ports that the CE has. */

import { refuseIpv4 } from "../ip/special.ts";
import { parseIpv4 } from "../ip/text.ts";
import type { PortSet, Remark } from "../map/model.ts";
import type { Forward } from "../map/plan.ts";
import { contains } from "../map/port-set.ts";
import { InputError, MapminError, throwUnless } from "../wire/errors.ts";
import { nearestFree } from "./reserved-ports.ts";

/** Most ports in all lines together: each is an element of a map of nftables. */
const MOST_PORTS = 4_096;
const TOO_MANY = `more than ${MOST_PORTS} in all lines`;
const LAST_PORT = 65_535;
/** How much of a line a remark quotes, characters. */
const QUOTED = 60;

const LINE = /^(tcp|udp|tcpudp) (\d{1,5})(?:-(\d{1,5}))? ([\d.]+)(?::(\d{1,5}))?$/;

/** One entry for each port and protocol. @throws MapminError */
function decodeLine(line: string): readonly Forward[] {
  const match = LINE.exec(line);
  const [, protocols = "", first, last = first, address = "", hostFirst = first] = match ?? [];
  const [low, high, hostLow] = [Number(first), Number(last), Number(hostFirst)];
  if (!(low > 0 && low <= high && high <= LAST_PORT && hostLow > 0 && hostLow + high - low <= LAST_PORT)) {
    throw new InputError("form", "expected `tcp 4928 192.168.1.10:80`, or a range of ports");
  }
  // Before they are made: a few lines could ask for millions.
  if (high - low >= MOST_PORTS) throw new InputError("port", TOO_MANY);
  const host = parseIpv4(address);
  const refused = refuseIpv4({ address: host, length: 32 }, true);
  if (refused !== undefined) throw new InputError("host", refused);
  return (["tcp", "udp"] as const)
    .filter((protocol) => protocols.includes(protocol))
    .flatMap((protocol) =>
      Array.from({ length: high - low + 1 }, (_, i) => ({
        protocol,
        port: low + i,
        host,
        hostPort: hostLow + i,
      })),
    );
}

/**
 * What the lines ask for, and a remark for each that cannot be done, which costs the others nothing.
 *
 * @param set absent where the provider does the NAT
 * @param reserved ports of the set that are kept for something else
 */
export function decodeForwards(
  lines: readonly string[],
  set: PortSet | undefined,
  reserved: readonly number[],
): {
  readonly forwards: readonly Forward[];
  /** The lines that they are from. */
  readonly done: readonly string[];
  readonly remarks: Remark[];
} {
  const forwards: Forward[] = [];
  const done: string[] = [];
  const remarks: Remark[] = [];
  const kept = new Set(reserved);
  const taken = new Set<string>();
  for (const text of lines) {
    const line = text.trim().replace(/\s+/g, " ");
    try {
      const found = decodeLine(line);
      if (set === undefined)
        throw new InputError("port", "the provider does the NAT, and there is no port set");
      for (const { protocol, port } of found) {
        if (!contains(set, port)) {
          const near = nearestFree(set, port, kept);
          throw new InputError("port", `${port} is not in the port set; nearest that are free: ${near}`);
        }
        if (taken.has(`${protocol} ${port}`)) throw new InputError("port", `${port} is in a line above`);
      }
      if (forwards.length + found.length > MOST_PORTS) throw new InputError("port", TOO_MANY);
      for (const forward of found) {
        forwards.push(forward);
        kept.add(forward.port);
        taken.add(`${forward.protocol} ${forward.port}`);
      }
      done.push(line);
    } catch (error) {
      throwUnless(error, MapminError);
      const why = `"${line.slice(0, QUOTED)}" is left out: ${error.message}`;
      remarks.push({ code: "forward-refused", path: "forward", text: why });
    }
  }
  return { forwards, done, remarks };
}

/** The ports of forwards and the others that are reserved, ascending. */
export function reservedWith(reserved: readonly number[], forwards: readonly Forward[]): readonly number[] {
  return [...new Set([...reserved, ...forwards.map(({ port }) => port)])].sort((a, b) => a - b);
}
