/** ubus messages, well-formed, mutated and random, against the framer and both decoders. */

import {
  BlobError,
  type BlobTable,
  decodeAttributes,
  decodeTable,
  encodeMessage,
  encodeTable,
  Framer,
  UbusFrameError,
} from "ubus-client-ts";
import { random as makeRandom, type Random } from "./random.ts";

function randomValue(random: Random, depth: number): BlobTable[string] {
  switch (random(depth > 4 ? 5 : 7)) {
    case 0:
      return random(2) === 0;
    case 1:
      return random(2 ** 31) - 2 ** 30;
    case 2:
      return random(2 ** 31) / 7;
    case 3:
      return "x".repeat(random(40));
    case 4:
      return null;
    case 5:
      return Array.from({ length: random(4) }, () => randomValue(random, depth + 1) ?? null);
    default:
      return randomTable(random, depth + 1);
  }
}

function randomTable(random: Random, depth: number): BlobTable {
  const names = ["interface", "a", "", "up", "__proto__", "ip-address"];
  return Object.fromEntries(
    Array.from({ length: random(5) }, () => [names[random(names.length)] ?? "", randomValue(random, depth)]),
  );
}

function message(random: Random): Buffer {
  return encodeMessage(random(12), random(65_536), random(2 ** 31), {
    ...(random(2) === 0 ? {} : { objId: random(2 ** 31) }),
    ...(random(2) === 0 ? {} : { objPath: "network.interface" }),
    ...(random(2) === 0 ? {} : { method: "status" }),
    ...(random(4) === 0 ? {} : { data: encodeTable(randomTable(random, 0)) }),
    ...(random(4) === 0 ? { subscribers: [1, 2, random(2 ** 31)] } : {}),
    ...(random(4) === 0 ? { signature: encodeTable(randomTable(random, 0)) } : {}),
  });
}

function mutate(random: Random, octets: Buffer): Buffer {
  const changed = Buffer.from(octets);
  switch (random(6)) {
    case 0:
      return changed;
    case 1:
      for (let n = random(4); n >= 0; n--) {
        const at = random(changed.length);
        changed[at] = (changed[at] ?? 0) ^ (1 << random(8));
      }
      return changed;
    case 2:
      return changed.subarray(0, random(changed.length + 1));
    case 3: {
      const at = random(changed.length);
      return Buffer.concat([
        changed.subarray(0, at),
        Buffer.alloc(random(9), random(256)),
        changed.subarray(at),
      ]);
    }
    case 4: {
      // A length somewhere: the low half of a word.
      const at = random(Math.max(1, changed.length >> 2)) * 4 + 2;
      if (at + 2 <= changed.length) changed.writeUInt16BE(random(2) === 0 ? random(64) : random(65_536), at);
      return changed;
    }
    default:
      return Buffer.from(Array.from({ length: random(80) }, () => random(256)));
  }
}

function expected(error: unknown): boolean {
  return error instanceof BlobError || error instanceof UbusFrameError;
}

function decodeData(data: Buffer): void {
  try {
    decodeTable(data);
  } catch (error) {
    if (!expected(error)) throw error;
  }
}

/** What was thrown, and the octets that led to it. @throws Error for anything but the declared errors */
export function fuzzFrames(count: number, seed: number): void {
  const random = makeRandom(seed);
  const fresh = () =>
    new Framer((frame) => {
      const { data, signature } = decodeAttributes(frame.payload);
      if (data !== undefined) decodeData(data);
      if (signature !== undefined) decodeData(signature);
      decodeData(frame.payload);
    });
  let framer = fresh();
  for (let done = 0; done < count; done++) {
    const octets = mutate(random, message(random));
    try {
      const cut = random(octets.length + 1);
      framer.push(octets.subarray(0, cut));
      framer.push(octets.subarray(cut));
      // A stream that waits for megabytes would see nothing more of what follows.
      if (random(4) === 0) framer = fresh();
    } catch (error) {
      if (!expected(error)) {
        throw new Error(`seed ${seed}, input ${done}: ${octets.toString("hex")}`, { cause: error });
      }
      framer = fresh();
    }
  }
}
