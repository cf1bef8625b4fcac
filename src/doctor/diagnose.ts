/** From facts to findings: the whole chain, in order. Pure. */

import { provision } from "../provision/choose.ts";
import { MapminError } from "../wire/errors.ts";
import { afterSetup } from "./after-setup.ts";
import { beforeSetup } from "./before-setup.ts";
import { beside } from "./beside.ts";
import { type Diagnosis, examine, type Patient } from "./check.ts";
import { type Facts, known, told, unknown } from "./facts.ts";

/** Every check, in the order of the chain. */
export const chain = [...beforeSetup, ...afterSetup, ...beside];

/** What setup would make now of the configuration and the link. */
export function expectedOf({
  iface,
  tunlink,
  config,
  link,
  linkDevice,
  neighbours,
  module,
  rulesText,
  relay,
}: Facts): Patient["expected"] {
  if (!config.known) return config;
  if (config.value instanceof MapminError) return known(config.value);
  if (!rulesText.known) return rulesText;
  if (rulesText.value instanceof MapminError) return known(rulesText.value);
  if (!link.known) return link;
  if (link.value === undefined || !link.value.up) return unknown(`the link ${tunlink} is not up`);
  try {
    return known(
      provision(iface, config.value, {
        tunlink,
        link: link.value,
        linkMtu: told(linkDevice)?.mtu,
        neighbours: told(neighbours) ?? [],
        moduleLoaded: module.known && module.value === "ours",
        rulesText: rulesText.value,
        relay: told(relay),
      }),
    );
  } catch (error) {
    if (!(error instanceof MapminError)) throw error;
    return known(error);
  }
}

export function diagnose(facts: Facts): Diagnosis {
  return examine(chain, { facts, expected: expectedOf(facts) });
}
