// Start-up of `mapminctl --version` over an empty Node process, and the speed of `calc --ndjson`: medians of one run.
import { spawnSync } from "node:child_process";

const RUNS = 20;
const LIMIT_MS = 15;
const LINES = 100_000;
const bundle = new URL("../../dist/tools.cjs", import.meta.url).pathname;

function once(argv, input) {
  const start = process.hrtime.bigint();
  const { status, stdout } = spawnSync(process.execPath, argv, {
    input,
    maxBuffer: 1 << 28,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${argv.join(" ")} exited with ${status}`);
  return { ms: Number(process.hrtime.bigint() - start) / 1e6, stdout };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const empty = [];
const ours = [];
for (let run = -2; run < RUNS; run++) {
  const pair = [once(["-e", "0"]).ms, once([bundle, "mapminctl", "--version"]).ms];
  if (run < 0) continue; // warm-up
  empty.push(pair[0]);
  ours.push(pair[1]);
}
const above = median(ours) - median(empty);
console.log(
  `start-up: node -e 0 ${median(empty).toFixed(1)} ms, mapminctl --version ${median(ours).toFixed(1)} ms, above ${above.toFixed(1)} ms (limit ${LIMIT_MS})`,
);

const line = JSON.stringify({
  endUserIpv6Prefix: "2001:db8:12:3400::/56",
  ruleIpv6Prefix: "2001:db8::/40",
  ruleIpv4Prefix: "192.0.2.0/24",
  eaLength: 16,
  psidOffset: 6,
});
const { ms, stdout } = once([bundle, "mapminctl", "calc", "--ndjson"], `${line}\n`.repeat(LINES));
const answers = stdout.trimEnd().split("\n").length;
const perMinute = Math.round((answers / ms) * 60_000);
console.log(
  `calc --ndjson: ${answers} answers in ${(ms / 1000).toFixed(2)} s, ${perMinute} a minute (at least 100000)`,
);
process.exitCode = above <= LIMIT_MS && answers === LINES && perMinute >= 100_000 ? 0 : 1;
