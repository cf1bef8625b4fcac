/** What the page asks of the router: commands that its access list allows, and that rpcd has room for. */

import { describe, expect, test } from "vitest";
import { load } from "../../luci/load.ts";

interface Commands {
  status(): Promise<{ answer: unknown; notes: string }>;
  explain(hex: string, prefixes: readonly string[]): Promise<unknown>;
  doctor(name: string | null, probe?: string | null): Promise<unknown>;
  log(): Promise<readonly string[]>;
}

/** Modules before a router that prints `stdout`, and whose log is `log`. */
function router({ stdout = "[]", stderr = "", log = "" as string | Error } = {}) {
  const asked: string[][] = [];
  const fs = {
    exec: async (program: string, words: string[]) => {
      asked.push([program, ...words]);
      return { code: 0, stdout, stderr };
    },
    read: async () => {
      if (log instanceof Error) throw log;
      return log;
    },
  };
  return { asked, commands: load<Commands>("mapmin.commands", { fs, rpc: { declare: () => null } }) };
}

describe("explain", () => {
  test("the option, and the prefixes", async () => {
    const { asked, commands } = router();
    await commands.explain("beef0000", ["2001:db8::/56", "2001:db8:1::/56"]);
    expect(asked).toEqual([
      "/usr/sbin/mapminctl explain --json beef0000 --pd 2001:db8::/56 --pd 2001:db8:1::/56".split(" "),
    ]);
  });

  test("prefixes that rpcd has no room for are left out, and what is too long altogether is not asked", async () => {
    const { asked, commands } = router();
    const hex = "ab".repeat(490);
    await commands.explain(hex, ["2001:db8:1111:2222:3333:4444:5555:0/112", "2001:db8::/56"]);
    expect(asked[0]?.slice(4)).toEqual([]);
    await commands.explain(
      "ab".repeat(470),
      Array.from({ length: 9 }, () => "2001:db8::/56"),
    );
    expect(asked[1]?.slice(4)).toEqual(["--pd", "2001:db8::/56", "--pd", "2001:db8::/56"]);
    for (const words of asked) expect(words.join(" ").length).toBeLessThan(1024);
    await expect(commands.explain("ab".repeat(500), [])).rejects.toThrow("too long");
    expect(asked).toHaveLength(2);
  });
});

describe("doctor", () => {
  test.each([
    [null, null, "doctor --json --offline"],
    [null, "", "doctor --json"],
    ["wan", null, "doctor --json --offline wan"],
    ["wan", "", "doctor --json wan"],
    ["wan", "192.0.2.1", "doctor --json --probe 192.0.2.1 wan"],
  ])("%s, probing %j", async (name, probe, line) => {
    const { asked, commands } = router();
    await commands.doctor(name, probe);
    expect(asked).toEqual([["/usr/sbin/mapminctl", ...line.split(" ")]]);
  });

  test.each(["--probe", "", "a b", "wan;reboot", "<img>"])(
    "%j is no name of an interface, and is not asked",
    async (name) => {
      const { asked, commands } = router();
      await expect(commands.doctor(name, null)).rejects.toThrow("not the name of an interface");
      expect(asked).toEqual([]);
    },
  );

  test.each(["--json", "192.0.2", "192.0.2.1 x", "example.org"])(
    "%j is no address, and is not asked",
    async (probe) => {
      const { asked, commands } = router();
      await expect(commands.doctor("wan", probe)).rejects.toThrow("not an IPv4 address");
      expect(asked).toEqual([]);
    },
  );
});

describe("answers", () => {
  test("what is said beside the answer is kept; what is no answer is an error in its words", async () => {
    const said = router({ stdout: "[1]", stderr: "warning: x\n" });
    expect(await said.commands.status()).toEqual({ answer: [1], notes: "warning: x" });
    await expect(router({ stdout: "", stderr: "a bug\n" }).commands.status()).rejects.toThrow("a bug");
    await expect(router({ stdout: "{" }).commands.status()).rejects.toThrow("gave no answer");
  });

  test("the log: its lines; none where it is not there; another error is told", async () => {
    const named = (name: string) => Object.assign(new Error(name), { name });
    expect(await router({ log: "a\n\nb\n" }).commands.log()).toEqual(["a", "b"]);
    expect(await router({ log: named("NotFoundError") }).commands.log()).toEqual([]);
    await expect(router({ log: named("PermissionError") }).commands.log()).rejects.toThrow("PermissionError");
  });
});
