import { expect, test } from "vitest";
import { parseRefusals } from "../../../src/render/module-counters.ts";

test("the refusals of one device", () => {
  const text = [
    "map-a translated_4to6 9",
    "map-a drop_no_route 0",
    "map-b drop_no_route 7",
    "map-a nat_exhausted 18446744073709551615",
    "map-a nat_flows 5",
    "map-a drop_of_the_future 5",
    "map-a constructor 5",
    "map-a drop_fragment",
    "map-a drop_ecn x",
    "map-a drop_invalid -1",
    "map-a drop_too_big 123456789012345678901",
    "map-a  drop_untracked 1",
    "",
  ].join("\n");
  expect([...parseRefusals(text, "map-a")]).toEqual([
    ["drop_no_route", 0],
    ["nat_exhausted", 2 ** 64],
  ]);
  expect([...parseRefusals(text, "")]).toEqual([]);
  expect([...parseRefusals(text, "map-b")]).toEqual([["drop_no_route", 7]]);
});
