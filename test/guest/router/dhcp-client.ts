/** dhcpcd, the CE's DHCPv6 client: asks for a prefix and for option 48879, and calls lease.ts with what it gets. */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Daemon, start, within } from "./command.ts";

const CONF = "/run/lab/dhcpcd.conf";
const SCRIPT = "/run/lab/dhcpcd-script";
const LOG = "/run/lab/dhcpcd.log";

const configuration = `ipv6only
noipv6rs
duid
script ${SCRIPT}
define6 48879 binhex map
interface wan
option dhcp6_map
ia_pd 1
`;

/** Node only where there is a lease to tell of. */
const script = `#!/bin/sh
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case \${reason:-} in
*6) exec "${process.execPath}" /lab/cache/lab/lease.mjs >>/run/lab/lease.log 2>&1 ;;
esac
`;

export interface DhcpClient {
  log(): string;
  /** Asks the server anew, as after a reconnection. */
  rebind(): void;
  stop(): Promise<void>;
}

export function startDhcpClient(): DhcpClient {
  mkdirSync("/run/lab", { recursive: true });
  writeFileSync(CONF, configuration);
  writeFileSync(SCRIPT, script);
  chmodSync(SCRIPT, 0o755);
  const argv = ["dhcpcd", "--nobackground", "--debug", "--config", CONF, "wan"];
  const daemon: Daemon = start(within("ce", argv), LOG);
  return {
    log: () => readFileSync(LOG, "utf8"),
    rebind() {
      daemon.child.kill("SIGHUP");
    },
    stop: () => daemon.stop(),
  };
}
