import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeState, formatState, type SavedState, stateDamage } from "../../../src/engine/state.ts";
import { anyCharacter } from "../../support/any-character.ts";

const full: SavedState = {
  interface: "wan_map",
  state: "up",
  since: "2026-01-02T03:04:05.000Z",
  transport: "map-e",
  tunlink: "wan6",
  device: "map-wan_map",
  table: "mapmin_wan__map",
  ipv4: "192.0.2.18/32",
  map_address: "2001:db8:12:3400:0:c000:212:34",
  offset: "6",
  psid_length: "8",
  psid: "52",
  mtu: "1460",
  source: "the option `rule`",
  remarks: "",
  reserved_ports: "80 5000-5003",
};

describe("what is written is read back", () => {
  test("a whole state, as plain lines where it can be", () => {
    expect(decodeState(formatState(full))).toEqual(full);
    expect(stateDamage(formatState(full))).toBeUndefined();
    const lines = formatState(full).split("\n");
    expect(lines).toContain("state=up");
    expect(lines).toContain("ipv4=192.0.2.18/32");
    expect(lines).toContain('source="the option `rule`"');
  });

  test.each([
    "true",
    "null",
    "5",
    "",
    '"',
    '""',
    "'{\"toString\":1}'",
    "a=b",
    "[section]",
    "a ; comment",
    "# comment",
    "back\\slash",
    "a\\",
    "\\;",
    "key[]=1",
    "a.b",
    "__proto__",
    "Größe 日本 😀",
  ])("an error of %j", (error) => {
    const state: SavedState = { ...full, state: "failed", error };
    expect(decodeState(formatState(state))).toEqual(state);
    expect(stateDamage(formatState(state))).toBeUndefined();
  });

  test("values of any length and any characters leave a state that can be read", () => {
    const text = fc.string({ unit: anyCharacter, maxLength: 80 });
    fc.assert(
      fc.property(text, text, fc.integer({ min: 0, max: 400 }), (error, remarks, times) => {
        const state: SavedState = { ...full, error: error.repeat(times), remarks, reserved_ports: remarks };
        const read = decodeState(formatState(state));
        expect(read).toMatchObject({ interface: "wan_map", state: "up", mtu: "1460" });
        expect(stateDamage(formatState(state))).toBeUndefined();
        // Once written it stays as it is.
        expect(read && decodeState(formatState(read))).toEqual(read);
      }),
      { numRuns: 100 },
    );
  });

  test("long values are cut, and the rest stays", () => {
    const read = decodeState(
      formatState({ ...full, error: "x".repeat(1_000_000), remarks: "a\nstate=failed" }),
    );
    expect(read?.error).toMatch(/^x{9997}\.\.\.$/);
    expect(read?.remarks).toBe("a state=failed");
    expect(read?.mtu).toBe("1460");
  });

  test("a state of the time when values were cut at 2,000 characters on reading only", () => {
    const old = `interface=wan_map\nstate=up\nsince=x\nreserved_ports=${"5000 ".repeat(3000).trim()}\nmtu=1460\n`;
    expect(decodeState(old)).toMatchObject({ state: "up", mtu: "1460" });
  });
});

describe("what somebody else wrote is a warning", () => {
  const lines = formatState(full);

  test.each([
    ["a section at the end", `${lines}[x]\na=1\n`],
    ["a section in the middle", lines.replace("mtu=", "[x]\nmtu=")],
    ["a section of a key's name", `${lines}[state]\nup=1\n`],
    ["sections in sections", `${lines}[a]\n[a.b]\n[a.b.c]\nx=1\n`],
    ["a section called like a method", `${lines}[toString]\nx=1\n[constructor]\ny=2\n`],
    ["a section of a null", `a=null\n${lines}[a.b]\nc=1\n`],
    ["a section of a null, and blanks behind it", `a=null\n${lines}[a.b] \t\nc=1\n`],
    ["a list", `${lines}list[]=1\nlist[]=2\n`],
    ["a section and an odd value", `${lines}[x]\ny='{"toString":1}'\n`],
  ])("%s: the rest counts", (_title, content) => {
    expect(decodeState(content)).toMatchObject({ interface: "wan_map", state: "up" });
    expect(stateDamage(content)).toContain("ignored");
  });

  test.each([
    ["a section before all", `[x]\n${lines}`],
    ["a key that is null", `${lines}'null'=1\n`],
    ["no state", "interface=wan_map\nsince=x\n"],
    ["a state that is none", lines.replace("state=up", "state=sideways")],
    ["cut short", lines.slice(0, 30)],
    ["octets", "\u0000\u0001\ufffd".repeat(100)],
    ["blanks", " \n \n"],
  ])("%s: it counts as not set up", (_title, content) => {
    expect(decodeState(content)).toBeUndefined();
    expect(stateDamage(content)).toContain("not set up");
  });

  test("an empty file, or none, is nothing to warn of", () => {
    expect(decodeState("")).toBeUndefined();
    expect(stateDamage("")).toBeUndefined();
  });

  test("no content raises anything", () => {
    const line = fc.oneof(
      fc.string({ unit: anyCharacter, maxLength: 20 }),
      fc.constantFrom(
        "[a]",
        "[a.b]",
        "['null']",
        "a=null",
        "a=true",
        "'null'=1",
        "x[]=1",
        "__proto__=1",
        "[__proto__]",
      ),
      fc
        .tuple(fc.constantFrom("state", "interface", "since", "a", "'1'"), fc.json())
        .map((pair) => pair.join("=")),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (content) => {
        decodeState(content.join("\n"));
        stateDamage(content.join("\n"));
      }),
      { numRuns: 400 },
    );
  });
});

describe("the lines of a state file", () => {
  const written = (error: string) => formatState({ interface: "a", state: "failed", since: "", error });

  test.each([
    ["one-word", "error=one-word"],
    ["two words", "error=two words"],
    ["three short words", "error=three short words"],
    ["a b c", "error=a b c"],
    ["two  blanks", 'error="two  blanks"'],
    [" blank", 'error=" blank"'],
    ["blank ", 'error="blank "'],
    ["a; b", 'error="a; b"'],
    ["a ;b", 'error="a ;b"'],
    ['say "x"', 'error="say \\"x\\""'],
    ["", 'error=""'],
  ])("%j is written so that ini reads it back", (error, line) => {
    expect(written(error)).toBe(`interface=a\nstate=failed\nsince=""\n${line}\n`);
    expect(decodeState(written(error))?.error).toBe(error);
  });

  test("what is undefined is left out", () => {
    const state = { interface: "a", state: "up", since: "x", error: undefined } as unknown as SavedState;
    expect(formatState(state)).toBe("interface=a\nstate=up\nsince=x\n");
  });

  test("a line in brackets that is more than a section, or is indented, ends nothing", () => {
    const lines = "interface=a\nstate=up\nsince=x\n";
    expect(decodeState(`${lines}source=x [y]\nmtu=1400\n`)).toMatchObject({ source: "x [y]", mtu: "1400" });
    expect(decodeState(`${lines}[y] and more=1\nmtu=1400\n`)).toMatchObject({ mtu: "1400" });
    expect(decodeState(`${lines}[y] \t\nmtu=1400\n`)?.mtu).toBeUndefined();
    expect(decodeState(`${lines}[y]\r\nmtu=1400\n`)?.mtu).toBeUndefined();
  });

  test("a list in the place of a value counts as absent", () => {
    const lists = "interface=a\nstate=up\nsince=x\nmtu[]=1\nmtu[]=2\n";
    expect(decodeState(lists)?.mtu).toBeUndefined();
  });
});
