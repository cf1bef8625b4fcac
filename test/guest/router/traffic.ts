/**
 * The traffic tool: runs in a namespace by `ip netns exec`, prints one JSON line.
 *
 *   traffic.mjs serve                          the server's side, until killed
 *   traffic.mjs download HOST OCTETS           TCP, checksum of what arrived against what was sent
 *   traffic.mjs upload HOST OCTETS
 *   traffic.mjs udp HOST SIZE...               echo of datagrams, sizes in octets of payload
 *   traffic.mjs flows HOST COUNT SECONDS       COUNT TCP connections to one port, all held open
 *   traffic.mjs greet HOST tcp|udp PORT OWN    what the other end says first, to a caller from port OWN (0: any)
 *   traffic.mjs pcp HOST tcp|udp PORT WANTED   asks a router for a port by PCP (RFC 6887 s11), for our own PORT
 *   traffic.mjs open HOST                      a TCP connection, the time each 100 ms, ms; prints what comes back; ends when it breaks
 *   traffic.mjs steady HOST                    a datagram each 20 ms from a new socket each second; prints when each was answered, ms
 */

import { createHash, randomBytes, randomUUID } from "node:crypto";
import { createSocket } from "node:dgram";
import { createConnection, createServer, type Socket } from "node:net";
import { ports } from "./traffic-ports.ts";

export interface Transfer {
  readonly octets: number;
  readonly sent: string;
  readonly received: string;
}
export interface Echo {
  readonly size: number;
  readonly ok: boolean;
  readonly tries: number;
}
export interface Flows {
  readonly succeeded: number;
  /** How the others ended: error code -> count. */
  readonly failures: Readonly<Record<string, number>>;
  /** The ports the server saw. */
  readonly ports: readonly number[];
  readonly ms: number;
}

export interface Short {
  readonly succeeded: number;
  /** How the others ended: error code, or `no answer` -> count. */
  readonly failures: Readonly<Record<string, number>>;
  readonly ms: number;
}
/** Of sockets that sent one datagram: those that had an answer, and the ports that the server saw. */
export interface Filled {
  readonly answered: number;
  readonly ports: readonly number[];
}

export interface Greeting {
  /** Empty where none came. */
  readonly answer: string;
}

export interface Mapping {
  /** PCP's result code (RFC 6887 s7.4); -1 where no answer came. */
  readonly code: number;
  readonly port: number;
  readonly address: string;
}

const CHUNK = 64 * 1024;
const TICKS_PER_SECOND = 4;

/** Octets that no shifted, repeated or lost piece could imitate: each chunk holds its own number. */
function* chunks(octets: number): Generator<Buffer> {
  const pattern = createHash("sha512").update("mapmin lab").digest();
  for (let sent = 0, number = 0; sent < octets; sent += CHUNK, number += 1) {
    const chunk = Buffer.alloc(Math.min(CHUNK, octets - sent), pattern);
    if (chunk.length >= 4) chunk.writeUInt32BE(number, 0);
    yield chunk;
  }
}

async function send(socket: Socket, octets: number): Promise<string> {
  const hash = createHash("sha256");
  for (const chunk of chunks(octets)) {
    hash.update(chunk);
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
  }
  return hash.digest("hex");
}

function expected(octets: number): string {
  const hash = createHash("sha256");
  for (const chunk of chunks(octets)) hash.update(chunk);
  return hash.digest("hex");
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function serve(): void {
  const quiet = (socket: Socket) => socket.on("error", () => socket.destroy());
  createServer((socket) => {
    quiet(socket);
    socket.once("data", (request) => {
      void send(socket, Number(request.toString())).then(() => socket.end());
    });
  }).listen(ports.download);
  createServer({ allowHalfOpen: true }, (socket) => {
    quiet(socket);
    const hash = createHash("sha256");
    socket.on("data", (data) => hash.update(data));
    socket.on("end", () => socket.end(hash.digest("hex")));
  }).listen(ports.upload);
  // The port as seen here is the greeting.
  createServer((socket) => {
    quiet(socket);
    socket.write(`${socket.remotePort}\n`);
  }).listen({ port: ports.hold, backlog: 1024 });
  createServer((socket) => {
    quiet(socket);
    socket.on("data", (octets) => socket.write(octets));
  }).listen({ port: ports.short, backlog: 1024 });
  const port = createSocket("udp4");
  port.on("message", (data, peer) => {
    // Who names a token gets it back: by that it knows the answer.
    const token = data.toString();
    const answer = token === "?" ? `${peer.port}` : `${peer.port} ${token}`;
    port.send(answer, peer.port, peer.address, () => undefined);
  });
  port.on("error", () => undefined);
  port.bind(ports.port);
  const echo = createSocket("udp4");
  echo.on("message", (data, peer) => echo.send(data, peer.port, peer.address, () => undefined));
  echo.on("error", () => undefined);
  echo.bind(ports.echo, () => print({ ready: true }));
}

function download(host: string, octets: number): void {
  const socket = createConnection(ports.download, host, () => socket.write(String(octets)));
  const hash = createHash("sha256");
  let count = 0;
  socket.on("data", (data) => {
    hash.update(data);
    count += data.length;
  });
  socket.on("end", () => {
    socket.end();
    print({ octets: count, sent: expected(octets), received: hash.digest("hex") } satisfies Transfer);
  });
}

function upload(host: string, octets: number): void {
  const socket = createConnection({ port: ports.upload, host, allowHalfOpen: true }, async () => {
    const sent = await send(socket, octets);
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString();
    });
    socket.on("end", () => print({ octets, sent, received: answer } satisfies Transfer));
    socket.end();
  });
}

/**
 * One size after the other. The first datagram above the path's MTU is answered with Fragmentation Needed, at either
 * end, and lost: that is how path MTU discovery works, so each size is tried some times.
 */
async function udp(host: string, sizes: readonly number[]): Promise<void> {
  const results: Echo[] = [];
  for (const size of sizes) {
    const socket = createSocket("udp4");
    socket.on("error", () => undefined);
    const data = Buffer.alloc(size, `${size}.`);
    let tries = 0;
    let ok = false;
    while (!ok && tries < 5) {
      tries += 1;
      ok = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), 2_000);
        socket.removeAllListeners("message");
        socket.on("message", (answer) => {
          clearTimeout(timer);
          resolve(answer.equals(data));
        });
        socket.send(data, ports.echo, host, (error) => {
          // EMSGSIZE: the kernel has learnt the path's MTU from the answer to the one before.
          if (error) {
            clearTimeout(timer);
            setTimeout(() => resolve(false), 50);
          }
        });
      });
    }
    socket.close();
    results.push({ size, ok, tries });
  }
  print(results);
}

interface Flow {
  /** What went wrong; undefined when the greeting came. */
  readonly ended: Promise<string | undefined>;
  giveUp(): void;
}

function openFlow(host: string, seen: (port: number) => void, sockets: Socket[]): Flow {
  const socket = createConnection({ host, port: ports.hold });
  sockets.push(socket);
  let end: (failure?: string) => void = () => undefined;
  const ended = new Promise<string | undefined>((resolve) => {
    end = resolve;
  });
  let done = false;
  const finish = (failure?: string) => {
    done = true;
    end(failure);
  };
  socket.once("data", (greeting) => {
    if (!done) seen(Number(greeting.toString()));
    finish();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => finish(error.code ?? "error"));
  socket.once("close", () => finish("closed"));
  return { ended, giveUp: () => finish("no answer") };
}

/**
 * Says {"quiet":true} when no flow has got through for a second, and gives up the others when none has for `seconds`:
 * counted in ticks of this program, so that a machine that stands still does not count.
 */
async function flows(host: string, count: number, seconds: number): Promise<void> {
  const seen: number[] = [];
  const sockets: Socket[] = [];
  const started = Date.now();
  let ticks = 0;
  const see = (port: number) => {
    seen.push(port);
    ticks = 0;
  };
  const all = Array.from({ length: count }, () => openFlow(host, see, sockets));
  let told = false;
  const ticking = setInterval(() => {
    ticks += 1;
    if (!told && seen.length > 0 && ticks > TICKS_PER_SECOND) {
      told = true;
      print({ quiet: true });
    }
    if (ticks > seconds * TICKS_PER_SECOND) for (const flow of all) flow.giveUp();
  }, 1_000 / TICKS_PER_SECOND);
  const failures: Record<string, number> = {};
  for (const { ended } of all) {
    const failure = await ended;
    if (failure !== undefined) failures[failure] = (failures[failure] ?? 0) + 1;
  }
  clearInterval(ticking);
  const ms = Date.now() - started;
  // Held to the end: what was given up early would make room for another.
  for (const socket of sockets) socket.resetAndDestroy();
  print({ succeeded: seen.length, failures, ports: seen, ms } satisfies Flows);
  setTimeout(() => process.exit(0), 200);
}

/** How long a short connection and a datagram are waited for, in ticks of this program. */
const SHORT_TICKS = 12;

/** Undefined when an octet went each way, else what went wrong. */
function shortConnection(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: ports.short }, () => socket.write("?"));
    let ticks = 0;
    const end = (failure?: string) => {
      clearInterval(ticking);
      socket.end();
      resolve(failure);
    };
    const ticking = setInterval(() => {
      ticks += 1;
      if (ticks > SHORT_TICKS) end("no answer");
    }, 1_000 / TICKS_PER_SECOND);
    socket.once("data", () => end());
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? "error"));
  });
}

async function short(host: string, count: number, atOnce: number, rate: number): Promise<void> {
  const failures: Record<string, number> = {};
  const started = Date.now();
  let begun = 0;
  let succeeded = 0;
  const worker = async () => {
    while (begun < count) {
      const due = rate === 0 ? 0 : started + (begun * 1_000) / rate - Date.now();
      begun += 1;
      if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
      const failure = await shortConnection(host);
      if (failure === undefined) succeeded += 1;
      else failures[failure] = (failures[failure] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  print({ succeeded, failures, ms: Date.now() - started } satisfies Short);
  process.exit(0);
}

async function fill(host: string, count: number): Promise<void> {
  const seen: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const socket = createSocket("udp4");
    socket.on("error", () => undefined);
    const port = await new Promise<number | undefined>((resolve) => {
      let ticks = 0;
      const ticking = setInterval(() => {
        ticks += 1;
        if (ticks > SHORT_TICKS) end(undefined);
      }, 1_000 / TICKS_PER_SECOND);
      const end = (found: number | undefined) => {
        clearInterval(ticking);
        resolve(found);
      };
      socket.once("message", (answer) => end(Number(answer.toString())));
      socket.send("?", ports.port, host, () => undefined);
    });
    if (port !== undefined) seen.push(port);
  }
  print({ answered: seen.length, ports: seen } satisfies Filled);
  process.exit(0);
}

/** What the other end says first: the tool's services say the port that they see. */
async function greet(host: string, protocol: string, port: number, own: number): Promise<void> {
  const answer = await new Promise<string>((resolve) => {
    let ticks = 0;
    setInterval(() => {
      ticks += 1;
      if (ticks > SHORT_TICKS) resolve("");
    }, 1_000 / TICKS_PER_SECOND);
    const heard = (data: Buffer) => resolve(data.toString().trim());
    if (protocol === "tcp") {
      const socket = createConnection({ host, port, ...(own === 0 ? {} : { localPort: own }) });
      // The one that closes first would keep the port.
      socket.on("data", (data) => {
        heard(data);
        socket.resetAndDestroy();
      });
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
    } else {
      const socket = createSocket("udp4");
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
      const token = randomUUID();
      socket.on("message", (data) => {
        const [seen = "", theirs] = data.toString().split(" ");
        if (theirs === token) resolve(seen);
      });
      socket.bind(own, () => socket.send(token, port, host, () => undefined));
    }
  });
  print({ answer } satisfies Greeting);
  setTimeout(() => process.exit(0), 50);
}

const PCP_PORT = 5351;

/** An IPv4 address as PCP has it: mapped into IPv6 (RFC 6887 s5). */
function mapped(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.fill(0xff, 10, 12);
  for (const [i, part] of address.split(".").entries()) bytes[12 + i] = Number(part);
  return bytes;
}

async function pcp(host: string, protocol: string, port: number, wanted: number): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.connect(PCP_PORT, host, resolve));
  // Version 2, MAP; the lifetime in seconds; our address. Then a nonce, the protocol, our port and the one that we want.
  const request = Buffer.alloc(60);
  request.set([2, 1]);
  request.writeUInt32BE(120, 4);
  request.set(mapped(socket.address().address), 8);
  const nonce = randomBytes(12);
  request.set(nonce, 24);
  request[36] = protocol === "tcp" ? 6 : 17;
  request.writeUInt16BE(port, 40);
  request.writeUInt16BE(wanted, 42);
  request.set(mapped("0.0.0.0"), 44);
  let ticks = 0;
  setInterval(() => {
    ticks += 1;
    if (ticks > SHORT_TICKS) end({ code: -1, port: 0, address: "" });
  }, 1_000 / TICKS_PER_SECOND);
  const end = (mapping: Mapping) => {
    print(mapping);
    setTimeout(() => process.exit(0), 50);
  };
  socket.on("message", (answer) => {
    if (!answer.subarray(24, 36).equals(nonce)) return;
    end({ code: answer[3] ?? -1, port: answer.readUInt16BE(42), address: answer.subarray(56, 60).join(".") });
  });
  socket.on("error", () => undefined);
  socket.send(request);
}

/** One connection that stays open. */
function open(host: string): void {
  const socket = createConnection(ports.short, host, () =>
    setInterval(() => socket.write(`${Date.now()}\n`), 100),
  );
  socket.setNoDelay(true);
  socket.on("data", (times) => process.stdout.write(times));
  socket.on("error", (error) => {
    throw error;
  });
  socket.on("end", () => process.exit(1));
}

/** A datagram of an earlier second may come late: what is printed is when the answer to one of the last second came. */
function steady(host: string): void {
  let number = 0;
  let socket = createSocket("udp4");
  const open = () => {
    const old = socket;
    setTimeout(() => old.close(), 2_000);
    socket = createSocket("udp4");
    socket.on("error", () => undefined);
    socket.on("message", (answer) => {
      if (number - answer.readUInt32BE(0) < 50) process.stdout.write(`${Date.now()}\n`);
    });
  };
  open();
  setInterval(open, 1_000);
  setInterval(() => {
    number += 1;
    const data = Buffer.alloc(32);
    data.writeUInt32BE(number, 0);
    socket.send(data, ports.echo, host, () => undefined);
  }, 20);
}

/** Ports by chance, all of those that a program may take; two that come together are no matter. */
function storm(host: string, ms: number): void {
  setInterval(() => {
    const socket = createSocket("udp4");
    socket.on("error", () => undefined);
    socket.bind(1_024 + Math.floor(Math.random() * 64_512), () => {
      socket.send("storm", ports.echo, host, () => setTimeout(() => socket.close(), 300));
    });
  }, ms);
}

const [command, host = "", ...rest] = process.argv.slice(2);
const numbers = rest.map(Number);
switch (command) {
  case "serve":
    serve();
    break;
  case "download":
    download(host, numbers[0] ?? 0);
    break;
  case "open":
    open(host);
    break;
  case "upload":
    upload(host, numbers[0] ?? 0);
    break;
  case "udp":
    await udp(host, numbers);
    break;
  case "flows":
    await flows(host, numbers[0] ?? 0, numbers[1] ?? 10);
    break;
  case "short":
    await short(host, numbers[0] ?? 0, numbers[1] ?? 1, numbers[2] ?? 0);
    break;
  case "fill":
    await fill(host, numbers[0] ?? 0);
    break;
  case "storm":
    storm(host, numbers[0] ?? 20);
    break;
  case "pcp":
    await pcp(host, rest[0] ?? "", numbers[1] ?? 0, numbers[2] ?? 0);
    break;
  case "greet":
    await greet(host, rest[0] ?? "", numbers[1] ?? 0, numbers[2] ?? 0);
    break;
  case "steady":
    steady(host);
    break;
  default:
    process.stderr.write(
      "usage: traffic.mjs serve|download|upload|udp|flows|short|fill|storm|greet|pcp|steady ...\n",
    );
    process.exit(2);
}
