"use strict";
"require baseclass";

/** What netifd's `network.interface dump` says of MAP interfaces and their links. Nothing here knows the page. */

/** As the handler has it: a name of netifd's that may become part of a command. */
const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const PREFIX_ADDRESS = /^[0-9A-Fa-f:]{2,39}$/;
/** DHCPv6 options that can hold a MAP rule, or say which of them comes first. */
const MAP_OPTIONS = [17, 94, 95, 96, 111, 48879];
/** Hexadecimal digits of an option's code and length. */
const HEADER = 8;

const isInterfaceName = (name) => typeof name === "string" && INTERFACE_NAME.test(name);

/** The entries of a dump that have a name, those of the protocol `map` alone. */
function mapInterfaces(dump) {
  return (Array.isArray(dump) ? dump : []).filter(
    (entry) => entry?.proto === "map" && typeof entry.interface === "string",
  );
}

function interfaceOf(dump, name) {
  return (Array.isArray(dump) ? dump : []).find((entry) => entry?.interface === name);
}

/**
 * Those of the link's DHCPv6 options that are about MAP, as hexadecimal text. An option that is cut short is kept, so that it
 * can be said. Null where there is none.
 */
function mapOptions(link) {
  const all = link?.data?.passthru;
  if (typeof all !== "string" || !/^([0-9A-Fa-f]{2})*$/.test(all)) return null;
  let found = "";
  for (let at = 0; at < all.length; ) {
    const code = Number.parseInt(all.slice(at, at + HEADER / 2), 16);
    const octets = Number.parseInt(all.slice(at + HEADER / 2, at + HEADER), 16);
    const end = Number.isNaN(octets) ? all.length : at + HEADER + 2 * octets;
    if (MAP_OPTIONS.includes(code)) found += all.slice(at, end).toLowerCase();
    at = end;
  }
  return found === "" ? null : found;
}

/** The prefixes that were delegated to the router over the link, as text that a program takes. */
function prefixes(link) {
  const list = Array.isArray(link?.["ipv6-prefix"]) ? link["ipv6-prefix"] : [];
  return list
    .filter(
      (entry) =>
        PREFIX_ADDRESS.test(entry?.address ?? "") &&
        Number.isInteger(entry.mask) &&
        entry.mask >= 0 &&
        entry.mask <= 128,
    )
    .map(({ address, mask }) => `${address}/${mask}`);
}

/** The errors that the handler has reported to netifd, as `{ code, text }`. */
function errors(entry) {
  return (Array.isArray(entry?.errors) ? entry.errors : []).map(({ code, data }) => ({
    code: String(code ?? ""),
    text: (Array.isArray(data) ? data : []).map(String).join(" "),
  }));
}

return baseclass.extend({ isInterfaceName, mapInterfaces, interfaceOf, mapOptions, prefixes, errors });
