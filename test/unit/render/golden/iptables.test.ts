import { expect, test } from "vitest";
import type { NatPlan } from "../../../../src/map/plan.ts";
import { renderIptables } from "../../../../src/render/iptables.ts";
import { cases } from "../../../support/nat-plans.ts";

const [[, plan]] = cases as readonly [readonly [string, NatPlan]];

test.each(cases.filter(([name]) => !name.includes("reserved")))("iptables: %s", async (name, plan) => {
  const text = renderIptables(plan).join("\n");
  await expect(`${text}\n`).toMatchFileSnapshot(`iptables/${name}.txt`);
});

test.each([
  [{ offset: 0, psidLength: 8, psid: 3 }, "768-1023"],
  [{ offset: 0, psidLength: 8, psid: 4 }, "1024-1279"],
  [{ offset: 0, psidLength: 5, psid: 0 }, "1024-2047"],
])("the only range of %j: the system's ports are left out where others remain", (portSet, range) => {
  expect(renderIptables({ ...plan, portSet })[0]).toBe(
    `iptables -t nat -A POSTROUTING -p icmp -o map-wan6_4 -j SNAT --to 106.72.50.97:${range}`,
  );
});

test("a device whose name a shell could read as something else is refused", () => {
  const device = "eth0;reboot" as NatPlan["device"];
  expect(() => renderIptables({ ...plan, device })).toThrow(
    new RangeError('"eth0;reboot" is not the name of a device'),
  );
});
