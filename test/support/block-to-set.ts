import type { NatPlan } from "../../src/map/plan.ts";
import { keptPorts, virtualBlock } from "../../src/map/virtual-block.ts";

/** The port of the set behind a port as connection tracking shows it; undefined for a port that is nobody's. */
export function mapBlockToSet(plan: NatPlan, port: number): number | undefined {
  if (plan.portSet.psidLength === 0) return port;
  const block = virtualBlock(plan);
  return block?.ports[port - block.start] ?? keptPorts(plan).find((kept) => kept === port);
}
