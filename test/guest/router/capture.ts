/**
 * The judge of the port set: reads what tcpdump wrote on the IPv6 link between CE and BR, and looks at every packet
 * that carries the CE's IPv4 address, translated (MAP-T) or inside a tunnel (MAP-E).
 */

import { readFileSync, rmSync } from "node:fs";
import { attempt, type Daemon, PATIENCE_MS, start, until, within } from "./command.ts";
import { ce, type Edge, edges, endUserPrefix, inPortSet, publicCe, publicEdges } from "./plan.ts";

export interface Verdict {
  /** Packets from the CE's address, and those with a port or id outside the set, described. */
  readonly fromCe: number;
  readonly outside: readonly string[];
  /** Fragments after the first: they carry no port and are counted only. */
  readonly fragments: number;
  readonly protocols: Readonly<Record<string, number>>;
  /** Packets the kernel could not hand to tcpdump. */
  readonly lost: number;
}

export interface Capture {
  stop(): Promise<Verdict>;
  /** The packets that the customer edge may not send, each with the time when it was sent, ms since 1970. */
  stopAndList(): Promise<{
    readonly outside: readonly TimedPacket[];
    readonly fromCe: number;
    readonly lost: number;
  }>;
}

export interface TimedPacket {
  readonly ms: number;
  readonly what: string;
}

const FILE = "/run/lab/capture.pcap";
const LOG = "/run/lab/tcpdump.log";
const Protocol = {
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  fragment: 44,
  icmpv6: 58,
  destinationOptions: 60,
} as const;

function textOf(address: Buffer): string {
  return address.toString("hex");
}

function octetsOf(address: string): Buffer {
  const [left = "", right = ""] = address.split("::");
  const words = (part: string) =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const head = words(left);
  const tail = words(right);
  const all = address.includes("::")
    ? [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
    : head;
  const buffer = Buffer.alloc(16);
  all.forEach((word, i) => {
    buffer.writeUInt16BE(word, i * 2);
  });
  return buffer;
}

const ipv4Addresses = [ce, publicCe].map(({ ipv4 }) => textOf(Buffer.from(ipv4.split(".").map(Number))));
/** Customer edges by the octets of their MAP address. */
const edgeOf = new Map([...edges, ...publicEdges].map((edge) => [textOf(octetsOf(edge.mapAddress)), edge]));
/** The rule's IPv6 prefix, of 40 bits: who sends from it is a customer edge, or pretends to be one. */
const rulePrefix = textOf(octetsOf(endUserPrefix.address)).slice(0, 10);

/** Collects what packets say of themselves. */
class Judge {
  fromCe = 0;
  fragments = 0;
  /** When the packet that is looked at was sent, ms since 1970. */
  ms = 0;
  readonly timed: TimedPacket[] = [];
  readonly outside = {
    push: (what: string) => {
      this.timed.push({ ms: this.ms, what });
    },
  };
  private edge: Edge = edges[0];
  readonly protocols: Record<string, number> = {};

  /** `side`: which of the two port fields is the CE's. An error quotes a packet that came to the CE. */
  private port(what: string, data: Buffer, at: number, side: "source" | "destination"): void {
    const offset = at + (side === "source" ? 0 : 2);
    if (offset + 2 > data.length) {
      this.outside.push(`${what}: too short to have a port`);
      return;
    }
    const port = data.readUInt16BE(offset);
    if (!inPortSet(port, this.edge.psid)) this.outside.push(`${what} ${side} port ${port}`);
  }

  private count(name: string): void {
    this.protocols[name] = (this.protocols[name] ?? 0) + 1;
  }

  private upper(protocol: number, data: Buffer, at: number): void {
    switch (protocol) {
      case Protocol.tcp:
        this.count("tcp");
        this.port("tcp", data, at, "source");
        return;
      case Protocol.udp:
        this.count("udp");
        this.port("udp", data, at, "source");
        return;
      case Protocol.icmp:
      case Protocol.icmpv6: {
        const type = data[at] ?? -1;
        const echo = protocol === Protocol.icmp ? [0, 8] : [128, 129];
        if (echo.includes(type)) {
          this.count("icmp echo");
          const id = at + 6 <= data.length ? data.readUInt16BE(at + 4) : -1;
          if (!inPortSet(id, this.edge.psid)) this.outside.push(`icmp type ${type} id ${id}`);
          return;
        }
        // Neighbour discovery and router messages are the link's own.
        if (protocol === Protocol.icmpv6 && type >= 130 && type <= 137) return;
        this.count("icmp error");
        this.quoted(protocol === Protocol.icmp ? 4 : 6, data, at + 8);
        return;
      }
      default:
        this.count(`protocol ${protocol}`);
        this.outside.push(`protocol ${protocol}, which has no port`);
    }
  }

  /** The packet an ICMP error quotes was sent to the CE: its destination port is ours. */
  private quoted(family: 4 | 6, data: Buffer, at: number): void {
    const first = data[at] ?? 0;
    const headerLength = family === 4 ? (first & 15) * 4 : 40;
    const protocol = data[at + (family === 4 ? 9 : 6)] ?? -1;
    if (protocol === Protocol.tcp || protocol === Protocol.udp) {
      this.port("quoted", data, at + headerLength, "destination");
    } else if (protocol === Protocol.icmp || protocol === Protocol.icmpv6) {
      const id = data.readUInt16BE(at + headerLength + 4);
      if (!inPortSet(id, this.edge.psid)) this.outside.push(`quoted icmp id ${id}`);
    }
  }

  ipv6(data: Buffer, at: number): void {
    if (data.length < at + 40) return;
    const source = textOf(data.subarray(at + 8, at + 24));
    const edge = edgeOf.get(source);
    if (edge === undefined) {
      if (source.startsWith(rulePrefix)) this.outside.push(`source ${source}, which is no MAP address`);
      return;
    }
    this.edge = edge;
    let next = data[at + 6] ?? -1;
    let offset = at + 40;
    if (next === Protocol.destinationOptions) {
      next = data[offset] ?? -1;
      offset += 8 * ((data[offset + 1] ?? 0) + 1);
    }
    let later = false;
    if (next === Protocol.fragment) {
      later = (data.readUInt16BE(offset + 2) & 0xfff8) !== 0;
      next = data[offset] ?? -1;
      offset += 8;
    }
    if (next === Protocol.icmpv6 && [133, 134, 135, 136].includes(data[offset] ?? 0)) return;
    this.fromCe += 1;
    if (later) {
      this.fragments += 1;
      return;
    }
    if (next === Protocol.ipip) this.ipv4(data, offset);
    else this.upper(next, data, offset);
  }

  private ipv4(data: Buffer, at: number): void {
    const source = textOf(data.subarray(at + 12, at + 16));
    if (!ipv4Addresses.includes(source)) {
      this.outside.push(`inner source ${[...data.subarray(at + 12, at + 16)].join(".")}`);
      return;
    }
    if ((data.readUInt16BE(at + 6) & 0x1fff) !== 0) {
      this.fragments += 1;
      return;
    }
    this.upper(data[at + 9] ?? -1, data, at + ((data[at] ?? 0) & 15) * 4);
  }
}

/** Classic pcap, of the byte order of this machine. @throws Error when it is something else. */
function* packets(file: Buffer): Generator<readonly [ms: number, packet: Buffer]> {
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error("not a capture file");
  for (let at = 24; at + 16 <= file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const ms = file.readUInt32LE(at) * 1_000 + file.readUInt32LE(at + 4) / 1_000;
    yield [ms, file.subarray(at + 16, at + 16 + length)];
    at += 16 + length;
  }
}

function judge(file: Buffer): Judge {
  const found = new Judge();
  const ETHERNET = 14;
  for (const [ms, packet] of packets(file)) {
    if (packet.length <= ETHERNET) continue;
    found.ms = ms;
    const type = packet.readUInt16BE(12);
    if (type === 0x86dd) found.ipv6(packet, ETHERNET);
    // The provider has no IPv4.
    else if (type === 0x0800) found.outside.push("IPv4 beside the tunnel");
  }
  return found;
}

let captures = 0;

/**
 * The kernel hands packets to tcpdump in blocks, up to a second late, and tcpdump writes what fills a block of its own: what
 * is ended at once has not seen the last ones. One more packet is sent, and waited for.
 */
async function everythingWritten(tcpdump: Daemon): Promise<void> {
  captures += 1;
  const last = Buffer.from(`last packet ${captures}`.padEnd(16, "."));
  const ping = ["ping", "-c", "1", "-W", "2", "-p", last.toString("hex"), "ff02::1%wan"];
  attempt(within("ce", ping));
  await until("the capture's last packet", PATIENCE_MS, () => {
    tcpdump.child.kill("SIGUSR2");
    return readFileSync(FILE).includes(last) ? true : undefined;
  });
}

/** Captures on the provider's side of the CE's link. */
export async function startCapture(): Promise<Capture> {
  // What an earlier capture wrote would be taken for this one's.
  rmSync(LOG, { force: true });
  const command = ["tcpdump", "-Z", "root", "-i", "ce0", "-n", "-s", "160", "-B", "65536", "-Q", "in"];
  const tcpdump = start(within("pn", [...command, "-w", FILE, "ip6 or ip"]), LOG);
  await until("tcpdump", PATIENCE_MS, () =>
    readFileSync(LOG, "utf8").includes("listening on") ? true : undefined,
  );
  const ended = async () => {
    await everythingWritten(tcpdump);
    await tcpdump.stop();
    const [, dropped = "-1"] = /(\d+) packets? dropped by kernel/.exec(readFileSync(LOG, "utf8")) ?? [];
    return { found: judge(readFileSync(FILE)), lost: Number(dropped) };
  };
  return {
    async stop() {
      const { found, lost } = await ended();
      const { fromCe, timed, fragments, protocols } = found;
      return { fromCe, outside: timed.map(({ what }) => what), fragments, protocols, lost };
    },
    async stopAndList() {
      const { found, lost } = await ended();
      return { fromCe: found.fromCe, outside: found.timed, lost };
    },
  };
}
