import { expect, test } from "vitest";
import { type Ended, type Ending, failureOf, makeRun } from "../../../src/system/programs.ts";

const ended = (ending: Ending, stderr = ""): Ended => ({ ending, stdout: "out", stderr });

test.each<readonly [Ended, string | undefined]>([
  [ended({ how: "exit", code: 0 }, "a warning"), undefined],
  [ended({ how: "exit", code: 3 }, " words\n"), "words"],
  [ended({ how: "exit", code: 3 }, " \n"), "exit code 3"],
  [ended({ how: "signal" }, "words\n"), "words"],
  [ended({ how: "signal" }), "ended by a signal"],
  [ended({ how: "late" }, "words"), "no end after 70 ms"],
  [ended({ how: "flood" }, "words"), "printed more than 16777216 octets"],
  [ended({ how: "missing" }), "not installed"],
  [ended({ how: "refused", why: "no memory" }), "no memory"],
])("%j: %s", (end, why) => {
  expect(failureOf(end, 70)).toBe(why);
});

test("a run passes its input and limit on, and names the command when it fails", async () => {
  const asked: unknown[] = [];
  let ending: Ending = { how: "exit", code: 0 };
  const run = makeRun(async (...call) => {
    asked.push(call);
    return ended(ending);
  });
  expect(await run("nft", ["-f", "-"], { input: "x", limitMs: 5 })).toBe("out");
  expect(await run("nft", [])).toBe("out");
  expect(asked).toEqual([
    ["nft", ["-f", "-"], "x", 5],
    ["nft", [], "", 30_000],
  ]);
  ending = { how: "missing" };
  await expect(run("nft", ["-f", "-"])).rejects.toThrow("nft -f -: not installed");
  await expect(run("nft", [])).rejects.toThrow("nft: not installed");
});
