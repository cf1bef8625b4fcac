/** A customer edge as `explain` and `rules check` show it. */

import { formatIpv4Prefix, formatIpv6 } from "../ip/text.ts";
import type { CustomerEdge, Transport } from "../map/model.ts";
import { EVERY_PORT, ownShades } from "../map/port-picture.ts";
import { type PortRange, portCount, portRanges } from "../map/port-set.ts";
import { counted } from "./counted.ts";
import { pictureLines, type Screen } from "./picture.ts";
import { wrapWords } from "./wrap.ts";

export interface ExplainedCe {
  readonly transport: string;
  readonly ipv4: string;
  readonly psid: number;
  readonly psidLength: number;
  readonly psidOffset: number;
  readonly mapIpv6Address: string;
  readonly ports: number;
  readonly ranges: readonly PortRange[];
}

export function explainEdge(transport: Transport, { ipv4, portSet, mapAddress }: CustomerEdge): ExplainedCe {
  return {
    transport,
    ipv4: formatIpv4Prefix(ipv4),
    psid: portSet.psid,
    psidLength: portSet.psidLength,
    psidOffset: portSet.offset,
    mapIpv6Address: formatIpv6(mapAddress),
    ports: portCount(portSet),
    ranges: portRanges(portSet),
  };
}

/** The lines of text that show it. */
export function describeEdge(edge: ExplainedCe, screen: Screen): readonly string[] {
  return [
    `customer edge (${edge.transport})`,
    `  IPv4             ${edge.ipv4}`,
    `  PSID             ${edge.psid} (0x${edge.psid.toString(16)}), ${edge.psidLength} bits, offset ${edge.psidOffset}`,
    `  MAP address      ${edge.mapIpv6Address}`,
    edge.psidLength === 0
      ? "  ports            all"
      : wrapWords(
          `  ports            ${edge.ports} in ${counted(edge.ranges.length, "range")}:`,
          edge.ranges.map(([low, high]) => `${low}-${high}`),
          "  ports            ".length,
          screen.columns,
        ),
    ...pictureLines(screen, () => ownShades(edge.psidLength === 0 ? EVERY_PORT : edge.ranges)),
  ];
}
