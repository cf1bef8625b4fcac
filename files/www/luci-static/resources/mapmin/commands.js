"use strict";
"require baseclass";
"require fs";
"require rpc";
"require mapmin.netifd as netifd";
"require mapmin.rules as rules";

/** What the page asks of the router. The ACL luci-app-mapmin allows these commands and nothing else. */

const PROGRAM = "/usr/sbin/mapminctl";
const LOG = "/tmp/map.log";
/** rpcd holds a command with its arguments against the access list only if it is shorter than this. */
const LONGEST = 1024;

const dump = rpc.declare({ object: "network.interface", method: "dump", expect: { interface: [] } });

/** Gives `{ answer, notes }`: what was printed as JSON, and what was said beside it. */
async function run(...words) {
  const { code, stdout, stderr } = await fs.exec(PROGRAM, words);
  const notes = (stderr ?? "").trim();
  try {
    return { answer: JSON.parse(stdout), notes };
  } catch {
    throw new Error(notes === "" ? _("mapminctl gave no answer, exit code %d").format(code) : notes);
  }
}

const fits = (words) => [PROGRAM, ...words].join(" ").length < LONGEST;

/** The words that have the provider's options explained, with as many of the prefixes as there is room for. */
function explainWords(hex, prefixes) {
  const words = ["explain", "--json", hex];
  if (!fits(words)) throw new Error(_("This is too long to be shown here. On the router, mapminctl explain shows it."));
  for (const prefix of prefixes) if (fits([...words, "--pd", prefix])) words.push("--pd", prefix);
  return words;
}

function named(name) {
  if (!netifd.isInterfaceName(name)) throw new Error(_("This is not the name of an interface."));
  return name;
}

function address(text) {
  if (!rules.isIpv4(text)) throw new Error(_("This is not an IPv4 address."));
  return text;
}

return baseclass.extend({
  dump,

  status: () => run("status", "--json"),

  explain: async (hex, prefixes) => run(...explainWords(hex, prefixes)),

  /**
   * @param name of an interface; null for all
   * @param probe null sends no packets; otherwise an IPv4 address that is to be pinged as well, or an empty text
   */
  doctor: async (name, probe) => {
    const how = probe === null ? ["--offline"] : probe === "" ? [] : ["--probe", address(probe)];
    return run("doctor", "--json", ...how, ...(name === null ? [] : [named(name)]));
  },

  /** The lines of the log; none where there is no log yet. */
  log: () =>
    fs.read(LOG).then(
      (text) => text.split("\n").filter((line) => line !== ""),
      (error) => {
        if (error.name === "NotFoundError" || error.name === "NoDataError") return [];
        throw error;
      },
    ),
});
