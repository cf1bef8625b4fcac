/** `mapminctl doctor --next-relay`: which border relays are pinged, and what is done then. */

import { describe, expect, test } from "vitest";
import { EffectError } from "../../../src/wire/errors.ts";
import {
  both,
  doctor,
  file,
  noReply,
  options,
  program,
  reply,
  rule,
  uciText,
  type World,
} from "./doctor-world.ts";

describe("--next-relay", () => {
  const first = "2001:db8:ffff::1";
  const second = "2001:db8:ffff::2";
  const third = "2001:db8:ffff::3";
  const taken = "/var/run/mapmin/wan.relay";
  const renewed = { ubus: { "network.interface renew wan": {} } };
  const relays = (...addresses: readonly string[]) =>
    both(
      program("uci -q show network", uciText({ ...rule, ...options.tunnel, peeraddr: addresses.join(" ") })),
      renewed,
    );
  const from = (address: string) => noReply("-6", address);
  const to = (address: string) => reply("-6", address);
  const run = async (...worlds: readonly World[]) => {
    const { err, asked, waits, written } = await doctor("tunnel", ["--next-relay"], both(...worlds));
    const renewals = waits.filter((wait) => wait.startsWith("network.interface renew"));
    const pinged = asked.flatMap((line) => /^ping .*::(\d)$/.exec(line)?.[1] ?? []).join("");
    return { err, written, renewals, pinged };
  };
  const stays = { err: "wan: no other border relay answers\n", written: [], renewals: [] };
  const takes = (address: string, pinged: string) => ({
    pinged,
    err: `wan: ${address} is used now\n`,
    written: [[taken, address]],
    renewals: ["network.interface renew wan: 10000 ms"],
  });

  test.each<[title: string, worlds: readonly World[], found: object]>([
    ["a relay that answers is kept", [relays(first, second), to(second)], { ...stays, err: "", pinged: "1" }],
    [
      "the next that answers is taken, and the interface is renewed",
      [relays(first, second, third), from(first), from(second), to(third)],
      takes(third, "11223"),
    ],
    [
      "behind the last comes the first, and the one that was chosen is the one in use",
      [relays(second, first, third), file(taken, third), from(third), to(second)],
      takes(second, "332"),
    ],
    [
      "those before the one in use are tried, and it is not tried again",
      [relays(third, first, second), file(taken, first), from(first), from(second), from(third)],
      { ...stays, pinged: "112233" },
    ],
    [
      "four others at most are tried",
      [
        relays(...[1, 2, 3, 4, 5, 6].map((last) => `2001:db8:ffff::${last}`)),
        ...[1, 2, 3, 4, 5].map((last) => from(`2001:db8:ffff::${last}`)),
        to("2001:db8:ffff::6"),
      ],
      { ...stays, pinged: "1122334455" },
    ],
    ["there is no other", [renewed, from(first)], { ...stays, pinged: "11" }],
    [
      "one that setup would refuse is passed over",
      [relays(first, "::1", second), from(first), to("::1"), to(second)],
      takes(second, "112"),
    ],
    [
      "a ping that cannot be sent says nothing of the relay",
      [
        relays(first, second),
        program(`ping -c 1 -W 2 -6 ${first}`, new EffectError("ping", "not installed")),
        to(second),
      ],
      { ...stays, err: "", pinged: "1" },
    ],
  ])("%s", async (_title, worlds, found) => {
    expect(await run(...worlds)).toEqual(found);
  });

  test("MAP-T has no relay that is pinged; without the option nothing is changed", async () => {
    const { err, written } = await doctor("module", ["--next-relay"], renewed);
    expect([err, written]).toEqual(["", []]);
    const worlds = both(relays(first, second), from(first), to(second));
    expect(await doctor("tunnel", [], worlds)).toMatchObject({ code: 1, written: [] });
  });

  test("what was chosen is what setup is expected to make, and any other text is not", async () => {
    const worlds = [relays("2001:db8:ffff::9", first), to("2001:db8:ffff::9")] as const;
    const asked = async (text: string) =>
      (await doctor("tunnel", [], both(...worlds, file(taken, text)))).asked.filter((line) =>
        line.startsWith("ping"),
      );
    expect(await asked(first)).toEqual([`ping -c 1 -W 2 -6 ${first}`]);
    expect(await asked(";reboot")).toEqual(["ping -c 1 -W 2 -6 2001:db8:ffff::9"]);
  });
});
