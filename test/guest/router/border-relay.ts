/**
 * The border relay: programs we did not write, to whom the CE is one IPv4 address.
 *
 *   MAP-T   wan0 == 2001:db8:ffff::/64 ==> nat64 (tayga) == 192.0.2.18 ==> srv0
 *   MAP-E   wan0 == 2001:db8:ffff::1 ==> mape0 (ip6_tunnel) == 192.0.2.18 ==> srv0
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { type Daemon, run, start, until, within } from "./command.ts";
import { borderRelay, ce, type Transport } from "./plan.ts";

const TAYGA_CONF = "/run/lab/tayga.conf";

/** Whom the border relay knows: the address that the world sees, and where it is. */
interface Customer {
  readonly ipv4: string;
  readonly mapAddress: string;
}

async function startTranslator(customers: readonly Customer[]): Promise<Daemon> {
  mkdirSync("/run/lab/tayga", { recursive: true });
  writeFileSync(
    TAYGA_CONF,
    [
      "tun-device nat64",
      "data-dir /run/lab/tayga",
      `ipv4-addr ${borderRelay.translatorAddress}`,
      // Its own IPv6 address may not lie in `prefix`.
      "ipv6-addr 2001:db8:ffff:1::1",
      `prefix ${borderRelay.dmr}`,
      ...customers.map(({ ipv4, mapAddress }) => `map ${ipv4} ${mapAddress}`),
      "",
    ].join("\n"),
  );
  run(within("br", ["tayga", "--config", TAYGA_CONF, "--mktun"]));
  for (const argv of [
    ["link", "set", "nat64", "up"],
    ...customers.map(({ ipv4 }) => ["route", "add", `${ipv4}/32`, "dev", "nat64"]),
    ["-6", "route", "add", borderRelay.dmr, "dev", "nat64"],
    ["-6", "route", "add", "2001:db8:ffff:1::1/128", "dev", "nat64"],
    ["route", "add", `${borderRelay.translatorAddress}/32`, "dev", "nat64"],
  ]) {
    run(["ip", "-n", "br", ...argv]);
  }
  return start(within("br", ["tayga", "--config", TAYGA_CONF, "--nodetach"]), "/run/lab/tayga.log");
}

function startTunnels(customers: readonly Customer[]): void {
  run(["ip", "-n", "br", "-6", "address", "add", `${borderRelay.tunnelAddress}/128`, "dev", "lo"]);
  for (const [i, { ipv4, mapAddress }] of customers.entries()) {
    const device = `mape${i}`;
    for (const argv of [
      [
        ...["-6", "tunnel", "add", device, "mode", "ipip6", "encaplimit", "none"],
        ...["local", borderRelay.tunnelAddress, "remote", mapAddress],
      ],
      ["link", "set", device, "up"],
      ["route", "add", `${ipv4}/32`, "dev", device],
    ]) {
      run(["ip", "-n", "br", ...argv]);
    }
  }
}

/** A second MAP-E border relay, in the place of the first for our customer edge. */
export function moveTunnel(): void {
  const { otherTunnelAddress: local } = borderRelay;
  for (const argv of [
    ["-6", "address", "add", `${local}/128`, "dev", "lo"],
    [
      ...["-6", "tunnel", "add", "moved", "mode", "ipip6", "encaplimit", "none"],
      ...["local", local, "remote", ce.mapAddress],
    ],
    ["link", "set", "moved", "up"],
    ["route", "replace", `${ce.ipv4}/32`, "dev", "moved"],
  ]) {
    run(["ip", "-n", "br", ...argv]);
  }
}

/** A running border relay. */
export interface BorderRelay {
  stop(): Promise<void>;
}

export async function startBorderRelay(
  transport: Transport,
  customers: readonly Customer[] = [ce],
): Promise<BorderRelay> {
  if (transport === "map-e") {
    startTunnels(customers);
    return {
      async stop() {
        for (const i of customers.keys()) run(["ip", "-n", "br", "-6", "tunnel", "del", `mape${i}`]);
        run(["ip", "-n", "br", "-6", "address", "del", `${borderRelay.tunnelAddress}/128`, "dev", "lo"]);
      },
    };
  }
  const daemon = await startTranslator(customers);
  await until("tayga", 20_000, () => (daemon.child.exitCode === null ? true : undefined));
  return {
    async stop() {
      await daemon.stop();
      run(within("br", ["tayga", "--config", TAYGA_CONF, "--rmtun"]));
    },
  };
}
