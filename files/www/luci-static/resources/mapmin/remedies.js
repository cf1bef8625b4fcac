"use strict";
"require baseclass";

/** What to do about the errors of setup, by their codes. */
const remedies = {
  LINK_DOWN: _("Nothing: setup runs again when the IPv6 interface comes up."),
  NO_LINK: _("Correct the name of the IPv6 interface (option tunlink)."),
  NO_RULE: _("Set option reqopts '48879' on the IPv6 interface, or ask your provider."),
  NO_MATCHING_PD: _("Check that your provider delegates a prefix (option reqprefix 'auto' on the IPv6 interface)."),
  INVALID_MAP_RULE: _("Correct the value that is named, or report it to your provider. For a private address see option allow_private."),
  INVALID_OPTION: _("Correct the option that is named. If it is your provider's, report it there."),
  UNSUPPORTED_TYPE: _("Set the type to MAP-E, MAP-T or lw4o6 (option maptype)."),
  NO_KERNEL_MODULE: _("Install kmod-mapmint, and remove kmod-nat46."),
  SAME_PORT_SET: _("Two interfaces have the same rule: delete one of the two."),
  HANDLER_ENDED: _("The router has too little memory, or a file is damaged: free memory, or install mapminctl again."),
  INTERNAL_ERROR: _("This is a bug in mapmin: please report it with the log."),
};

return baseclass.extend({
  /** Undefined for an error that explains itself. */
  of: (code) => (Object.hasOwn(remedies, code) ? remedies[code] : undefined),

  /** Takes `CODE: text` apart. */
  split(error) {
    const [, code, text] = /^([A-Z][A-Z0-9_]{2,40}): (.*)$/s.exec(error) ?? [undefined, "", error];
    return { code, text };
  },
});
