import { describe, expect, test } from "vitest";
import {
  decodeAttributes,
  encodeMessage,
  type Frame,
  Framer,
  MessageType,
  UbusFrameError,
} from "../src/index.ts";

/** INVOKE of `status {"interface":"wan6"}`, captured from a real client. */
const captured = Buffer.from(
  "00050006e30f36810000003403000008e30f36810400000b73746174757300000700001c830000150009696e746572666163650077616e3600000000",
  "hex",
);
const hello = Buffer.from("0000000000001234 00000004".replace(/ /g, ""), "hex");

function framesOf(chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const framer = new Framer((frame) => frames.push(frame));
  for (const chunk of chunks) framer.push(chunk);
  return frames;
}

describe("the framer", () => {
  test("a whole message", () => {
    const [frame, ...rest] = framesOf([captured]);
    expect(rest).toEqual([]);
    expect(frame).toMatchObject({
      offset: 0,
      version: 0,
      type: MessageType.INVOKE,
      seq: 6,
      peer: 0xe30f3681,
    });
    expect(decodeAttributes(frame?.payload ?? Buffer.alloc(0))).toMatchObject({
      objId: 0xe30f3681,
      method: "status",
    });
  });

  test("split at every octet, and octet by octet", () => {
    const stream = Buffer.concat([hello, captured, hello]);
    const whole = framesOf([stream]).map(({ offset, type, payload }) => [
      offset,
      type,
      payload.toString("hex"),
    ]);
    expect(whole).toHaveLength(3);
    const seen = (chunks: readonly Buffer[]) =>
      framesOf(chunks).map(({ offset, type, payload }) => [offset, type, payload.toString("hex")]);
    for (let at = 1; at < stream.length; at++) {
      expect(seen([stream.subarray(0, at), stream.subarray(at)])).toEqual(whole);
    }
    expect(seen(Array.from(stream, (octet) => Buffer.from([octet])))).toEqual(whole);
  });

  test.each([
    ["0", "00000000"],
    ["3", "00000003"],
    ["1 MiB and 1", "00100001"],
    ["16 MiB - 1", "00ffffff"],
  ])("an outer length of %s ends the stream, after what came before", (_title, length) => {
    const frames: Frame[] = [];
    const framer = new Framer((frame) => frames.push(frame));
    const bad = Buffer.concat([hello, Buffer.from(`0000000000000000${length}`, "hex")]);
    expect(() => framer.push(bad)).toThrow(UbusFrameError);
    expect(() => framer.push(hello)).toThrow(`at octet ${hello.length} of the stream`);
    expect(frames).toHaveLength(1);
  });

  test("1 MiB is taken", () => {
    const head = Buffer.from("000000000000000000100000", "hex");
    const [frame] = framesOf([head, Buffer.alloc(1_048_576 - 4)]);
    expect(frame?.payload).toHaveLength(1_048_572);
  });
});

describe("attributes", () => {
  test("as sent by a real client, both ways", () => {
    const attributes = decodeAttributes(captured.subarray(12));
    expect(encodeMessage(MessageType.INVOKE, 6, 0xe30f3681, attributes).toString("hex")).toBe(
      captured.toString("hex"),
    );
  });

  test.each([
    ["a u32 of three octets", "0300000700000100"],
    ["a string without a NUL", "0400000673740000"],
    ["an id that nobody knows", "0e00000800000001"],
    ["a length past the end", "0300000900000001"],
    ["a length below 4", "03000003"],
    ["nothing", ""],
  ])("%s counts as absent", (_title, octets) => {
    expect(decodeAttributes(Buffer.from(octets, "hex"))).toEqual({});
  });

  test("a message above 1 MiB is refused before it is sent", () => {
    expect(() => encodeMessage(MessageType.INVOKE, 1, 1, { data: Buffer.alloc(1_048_576) })).toThrow(
      "more than 1048576",
    );
  });
});
