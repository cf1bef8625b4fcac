/** Kea, the provider's DHCPv6 server: delegates the end-user prefix and sends option 48879 to whoever asks for it. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Daemon, PATIENCE_MS, start, until, within } from "./command.ts";
import { endUserPrefix, provider } from "./plan.ts";

const CONF = "/run/lab/kea-dhcp6.conf";
const LOG = "/run/lab/kea.log";

/** What the provider gives; either may be missing, and come with `reload`. */
export interface Offer {
  /** Option 48879's value in hexadecimal. */
  readonly option?: string;
  readonly prefix: boolean;
  /** True: the other prefix, 2001:db8:13:3400::/56, takes the place of the usual one. */
  readonly other?: boolean;
}

function configuration(offer: Offer): string {
  const optionData =
    offer.option === undefined
      ? []
      : [{ code: 48_879, space: "dhcp6", "csv-format": false, data: offer.option }];
  return JSON.stringify({
    Dhcp6: {
      "interfaces-config": { interfaces: ["ce0"] },
      "lease-database": { type: "memfile", persist: false },
      "preferred-lifetime": 3_600,
      "valid-lifetime": 7_200,
      "renew-timer": 1_800,
      "rebind-timer": 2_700,
      "option-data": optionData,
      subnet6: [
        {
          id: 1,
          subnet: provider.ceSide.replace(/::1$/, "::/64"),
          interface: "ce0",
          "rapid-commit": true,
          "pd-pools": offer.prefix
            ? [
                {
                  prefix: offer.other === true ? "2001:db8:13:3400::" : endUserPrefix.address,
                  "prefix-len": endUserPrefix.length,
                  "delegated-len": endUserPrefix.length,
                },
              ]
            : [],
        },
      ],
      loggers: [{ name: "kea-dhcp6", output_options: [{ output: "stdout" }], severity: "INFO" }],
    },
  });
}

export interface DhcpServer {
  /** Another offer from now on, for new and renewed leases. */
  reload(offer: Offer): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

export async function startDhcpServer(offer: Offer): Promise<DhcpServer> {
  mkdirSync("/run/kea", { recursive: true });
  writeFileSync(CONF, configuration(offer));
  const daemon: Daemon = start(within("pn", ["kea-dhcp6", "-c", CONF]), LOG, {
    KEA_LOCKFILE_DIR: "none",
    KEA_PIDFILE_DIR: "/run/kea",
  });
  const count = () => readFileSync(LOG, "utf8").split("DHCP6_CONFIG_COMPLETE").length - 1;
  const ready = (times: number) =>
    until("Kea", PATIENCE_MS, () => {
      if (daemon.child.exitCode !== null) throw new Error(`Kea ended:\n${readFileSync(LOG, "utf8")}`);
      return count() >= times && readFileSync(LOG, "utf8").includes("DHCP6_STARTED") ? true : undefined;
    });
  await ready(1);
  return {
    async reload(next) {
      const before = count();
      writeFileSync(CONF, configuration(next));
      // `ip netns exec` became Kea itself by exec.
      daemon.child.kill("SIGHUP");
      await ready(before + 1);
    },
    log: () => readFileSync(LOG, "utf8"),
    stop: () => daemon.stop(),
  };
}
