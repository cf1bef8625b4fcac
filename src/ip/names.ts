/** Names of netifd's interfaces and of network devices: two kinds of text, which are not to be mixed up. */

import { InputError } from "../wire/errors.ts";

declare const kind: unique symbol;

/** An interface of netifd, as UCI names it. It becomes part of the names of devices, nftables tables and files. */
export type InterfaceName = string & { readonly [kind]: "interface" };

/** A network device of the kernel. Safe in an nft script, in a control line, and unquoted in a shell. */
export type DeviceName = string & { readonly [kind]: "device" };

const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
/** At most IFNAMSIZ - 1 octets. The kernel allows more characters; these are the ones that tools take literally. */
const DEVICE_NAME = /^[A-Za-z0-9_@][A-Za-z0-9_.@-]{0,14}$/;

export function isInterfaceName(text: string): text is InterfaceName {
  return INTERFACE_NAME.test(text);
}

export function isDeviceName(text: string): text is DeviceName {
  return DEVICE_NAME.test(text);
}

function refuseName(field: string, of: string, longest: number, signs: string): never {
  throw new InputError(
    field,
    `is not the name of ${of}: 1 to ${longest} letters, digits, '_', '-'${signs}, the first no '-' or '.'`,
  );
}

/** @throws InputError naming `field` */
export function parseInterfaceName(text: string, field: string): InterfaceName {
  return isInterfaceName(text) ? text : refuseName(field, "an interface", 64, " or '.'");
}

/** @throws InputError naming `field` */
export function parseDeviceName(text: string, field: string): DeviceName {
  return isDeviceName(text) ? text : refuseName(field, "a device", 15, ", '.' or '@'");
}
