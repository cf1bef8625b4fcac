import { expect, test } from "vitest";
import { renderNft } from "../../../../src/render/nft.ts";
import { cases } from "../../../support/nat-plans.ts";

test.each(cases)("nft script: %s", async (name, plan) => {
  await expect(renderNft(plan)).toMatchFileSnapshot(`nft/${name}.nft`);
});
