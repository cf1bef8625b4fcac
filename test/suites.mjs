/**
 * The table of suites: a row a suite. `test/run NAME` runs one, and `test/run PART` all of a part.
 *
 *   name      what `test/run` calls it
 *   part      check, unit, core and lab make up `test/run all`; suites of the part `more` are run by name alone
 *   shows     what is known when it has passed
 *   needs     what is made before it runs: rows of `needs` in support/runner.mjs
 *   seconds   about how long it takes on two quiet processors, without the making
 *   command   what is run, from the project's directory
 *   cases     how `-k PATTERN` reaches it: "guest" (also the programs of core: by environment), "vitest", or absent
 *   variables what environment it heeds: whole numbers above 0, or from 0 for SEED and FIRST
 */

const guest = (name) => ["sh", "test/guest/run", name];
const core = (name) => ["sh", "test/core/run", name];
const kernels = (name) => ["sh", "test/kernels/run", name];
const bench = (name) => ["sh", "test/bench/run", name];
const router = (name) => ["sh", "test/guest/router/run", name];

export const suites = [
  {
    name: "lint",
    part: "check",
    shows: "format and lint: warnings are errors",
    needs: ["npm"],
    seconds: 2,
    command: ["npx", "biome", "check", "--error-on-warnings", "."],
  },
  {
    name: "types",
    part: "check",
    shows: "TypeScript's types",
    needs: ["npm"],
    seconds: 3,
    command: ["npx", "tsc", "--noEmit"],
  },
  {
    name: "bundle",
    part: "check",
    shows: "the bundle that is kept for OpenWrt builds is what the sources give",
    needs: ["npm"],
    seconds: 3,
    command: ["sh", "test/feed/bundle", "check"],
  },
  {
    name: "vitest",
    part: "unit",
    shows:
      "every folder of src, the shell scripts of files, and the package definitions; how much of src they reach",
    needs: ["npm", "bundle"],
    seconds: 25,
    command: ["npx", "vitest", "run", "--coverage"],
    cases: "vitest",
  },
  {
    name: "core-rules",
    part: "core",
    shows: "the module's core in user space: rules, port sets, control lines, under ASan and UBSan",
    needs: ["compiler"],
    seconds: 20,
    command: core("rules"),
    cases: "guest",
  },
  {
    name: "core-packets",
    part: "core",
    shows: "packet pairs for each clause of RFC 7915, and random packets against an oracle",
    needs: ["compiler"],
    seconds: 70,
    command: core("packets"),
    cases: "guest",
    variables: ["COUNT"],
  },
  {
    name: "core-tunnel",
    part: "core",
    shows:
      "packet pairs for encapsulation (RFC 7597, 2473, 6040, 7596), and random packets against an oracle",
    needs: ["compiler"],
    seconds: 30,
    command: core("tunnel"),
    cases: "guest",
    variables: ["COUNT"],
  },
  {
    name: "core-replay",
    part: "core",
    shows: "what fuzzers start from and have once found goes through the core",
    needs: ["compiler"],
    seconds: 15,
    command: core("replay"),
  },
  {
    name: "core-foreign-short",
    part: "core",
    shows: "the module's core on mips (big endian) and arm: rules, packet pairs, some random packets",
    needs: ["foreign"],
    seconds: 40,
    command: core("foreign-short"),
    variables: ["COUNT"],
  },
  {
    name: "conformance",
    part: "core",
    shows: "docs/rfc-conformance.md names files, functions and tests that exist",
    needs: ["compiler"],
    seconds: 1,
    command: core("conformance"),
  },
  {
    name: "python",
    part: "lab",
    shows: "pyflakes finds no name that is not defined in the tests' Python",
    needs: ["lab"],
    seconds: 2,
    command: ["sh", "-c", "git ls-files -z '*.py' | xargs -0 pyflakes3"],
  },
  {
    name: "module-style",
    part: "lab",
    shows: "the kernel module builds without a warning (W=1, sparse), and checkpatch --strict is content",
    needs: ["npm", "lab"],
    seconds: 60,
    command: kernels("style"),
  },
  {
    name: "module-foreign",
    part: "lab",
    shows: "the module builds for i386, arm, mips and aarch64, and their kernels export all that it asks for",
    needs: ["foreign", "lab"],
    seconds: 80,
    command: kernels("foreign"),
  },
  {
    name: "kunit",
    part: "lab",
    shows: "the module's core inside the lab kernel",
    needs: ["npm", "lab"],
    seconds: 15,
    command: guest("kunit"),
    variables: ["KERNEL"],
  },
  {
    name: "control-lines",
    part: "lab",
    shows: "10,000 malformed control lines are rejected, and change nothing",
    needs: ["npm", "lab"],
    seconds: 40,
    command: guest("control-lines"),
    variables: ["COUNT", "SEED", "KERNEL"],
  },
  {
    name: "module",
    part: "lab",
    shows:
      "the module in the lab kernel: control lines, packets one by one, life of devices; tayga as border relay",
    needs: ["npm", "lab"],
    seconds: 60,
    command: guest("module"),
    cases: "guest",
    variables: ["KERNEL"],
  },
  {
    name: "relays",
    part: "lab",
    shows:
      "what users do through border relays that are not ours (tayga, Jool), and between two customer edges",
    needs: ["npm", "lab"],
    seconds: 150,
    command: guest("relays"),
    cases: "guest",
  },
  {
    name: "module-nat",
    part: "lab",
    shows: "the module's NAT44 into the port set: capacity, endpoints, leaks, beside firewalls",
    needs: ["npm", "lab"],
    seconds: 120,
    command: guest("module-nat"),
    cases: "guest",
    variables: ["KERNEL"],
  },
  {
    name: "tunnel",
    part: "lab",
    shows:
      "the module as a tunnel: MAP-E and lightweight 4over6, the kernel's own ip6_tunnel as border relay",
    needs: ["npm", "lab"],
    seconds: 60,
    command: guest("tunnel"),
    cases: "guest",
    variables: ["KERNEL"],
  },
  {
    name: "nft-nat",
    part: "lab",
    shows: "the NAT into the port set that nftables does, for each kind of port set",
    needs: ["npm", "lab"],
    seconds: 120,
    command: guest("nft-nat"),
    cases: "guest",
  },
  {
    name: "router",
    part: "lab",
    shows:
      "a whole router: from the DHCPv6 server's option to packets, for MAP-T and MAP-E, and what can fail",
    needs: ["npm", "bundle", "lab"],
    seconds: 180,
    command: router("test"),
    cases: "guest",
  },
  {
    name: "router-quickjs",
    part: "lab",
    shows: "the same with our programs on QuickJS",
    needs: ["npm", "bundle", "lab"],
    seconds: 180,
    command: [...router("test"), "qjs"],
    cases: "guest",
  },
  {
    name: "demo",
    part: "more",
    shows: "the main job, MAP-T and MAP-E, in a real kernel, told step by step",
    needs: ["npm", "bundle", "lab"],
    seconds: 90,
    command: router("demo"),
  },
  {
    name: "demo-quickjs",
    part: "more",
    shows: "the same with our programs on QuickJS",
    needs: ["npm", "bundle", "lab"],
    seconds: 90,
    command: [...router("demo"), "qjs"],
  },
  {
    name: "debug",
    part: "more",
    shows: "module, module-nat and tunnel under KASAN, lockdep and kmemleak",
    needs: ["npm", "lab"],
    seconds: 1200,
    command: guest("debug"),
  },
  {
    name: "kernels",
    part: "more",
    shows: "the module builds for 6.1, 6.12, 7.x and by clang, and its tests pass on those that run here",
    needs: ["npm", "lab"],
    seconds: 2400,
    command: kernels("kernels"),
  },
  {
    name: "races",
    part: "more",
    shows: "10,000 changes under traffic, with two processors and then under KASAN",
    needs: ["npm", "lab"],
    seconds: 1800,
    command: guest("races"),
    variables: ["COUNT", "KERNEL"],
  },
  {
    name: "mutated-packets",
    part: "more",
    shows: "1,000,000 mutated packets into the running device, under KASAN",
    needs: ["npm", "lab"],
    seconds: 2400,
    command: guest("mutated-packets"),
    variables: ["COUNT", "SEED", "FIRST", "KERNEL"],
  },
  {
    name: "core-foreign",
    part: "more",
    shows: "core-rules, core-packets, core-tunnel and core-replay on mips, mipsel, arm, i386 and aarch64",
    needs: ["foreign"],
    seconds: 1500,
    command: core("foreign"),
    variables: ["COUNT"],
  },
  {
    name: "core-fuzz",
    part: "more",
    shows: "the module's core under libFuzzer: 10,000,000 packets, and a tenth as many control lines",
    needs: ["compiler", "clang"],
    seconds: 1500,
    command: core("fuzz"),
    variables: ["RUNS"],
  },
  {
    name: "decoder-fuzz",
    part: "more",
    shows: "1,000,000 malformed DHCPv6 options and 200,000 ubus frames raise the declared errors alone",
    needs: ["npm"],
    seconds: 120,
    command: ["sh", "test/support/malformed-long.sh"],
    variables: ["SEED"],
  },
  {
    name: "bench",
    part: "more",
    shows: "start-up of the tools, as a ratio to an empty Node",
    needs: ["npm", "bundle"],
    seconds: 60,
    command: ["node", "test/bench/startup.mjs"],
  },
  {
    name: "module-bench",
    part: "more",
    shows:
      "the module's throughput beside plain forwarding, Jool, ip6_tunnel, and its NAT44 beside masquerading",
    needs: ["npm", "lab"],
    seconds: 3600,
    command: bench("all"),
    variables: ["ROUNDS", "BOOTS"],
  },
];

/** What `test/run all` runs, in this order. */
export const parts = ["check", "unit", "core", "lab"];
