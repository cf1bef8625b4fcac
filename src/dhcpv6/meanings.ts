import type { FieldName } from "./options.ts";

/** What each field of an option says, for a person: one row for each name of the option table. */
export const meanings: Readonly<Record<FieldName, string>> = {
  E: "set: encapsulation (MAP-E); clear: translation (MAP-T)",
  F: "set: the rule is also a forwarding mapping rule (FMR)",
  "bind-ipv6-prefix": "the prefix the CE's tunnel address lies in",
  "br-ipv6-address": "the border relay's address",
  dmr: "MAP-T: the DMR prefix; MAP-E: the border relay's address, a /128",
  "dmr-ipv6-prefix": "the DMR prefix",
  "ea-len": "EA bits: how many bits of the end-user prefix carry IPv4 address and PSID",
  "enterprise-number": "who defined what follows",
  "ipv4-address": "the CE's IPv4 address",
  "ipv4-prefix": "the rule's IPv4 prefix",
  "ipv6-prefix": "the rule's IPv6 prefix",
  "option-codes": "containers in the provider's order of preference",
  "port-params": "PSID offset a, PSID length k, and the PSID",
  "prefix4-len": "length of the rule's IPv4 prefix",
};
