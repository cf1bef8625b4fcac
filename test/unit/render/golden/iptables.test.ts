import { expect, test } from "vitest";
import { renderIptables } from "../../../../src/render/iptables.ts";
import { cases } from "../../../support/nat-plans.ts";

test.each(cases.filter(([name]) => !name.includes("reserved")))("iptables: %s", async (name, plan) => {
  const text = renderIptables(plan).join("\n");
  await expect(`${text}\n`).toMatchFileSnapshot(`iptables/${name}.txt`);
});
