"use strict";
"require baseclass";
"require fs";
"require rpc";
"require mapmin.netifd as netifd";

/** What the page asks of the router. The ACL luci-app-mapmin allows these commands and nothing else. */

const PROGRAM = "/usr/sbin/mapminctl";
const LOG = "/tmp/map.log";

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

function named(name) {
  if (!netifd.isInterfaceName(name)) throw new Error(_("This is not the name of an interface."));
  return name;
}

return baseclass.extend({
  dump,

  status: () => run("status", "--json"),

  explain: (hex, prefixes) =>
    run("explain", "--json", hex, ...prefixes.flatMap((prefix) => ["--pd", prefix])),

  /** Without an interface, all of them. Sends packets unless `offline`. */
  doctor: async (name, offline) =>
    run("doctor", "--json", ...(offline ? ["--offline"] : []), ...(name === null ? [] : [named(name)])),

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
