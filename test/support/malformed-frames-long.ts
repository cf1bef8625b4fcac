import { fuzzFrames } from "./malformed-frames.ts";

const count = Number(process.argv[2] ?? 200_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
console.log(`ubus frames: ${count} inputs, seed ${seed}`);
fuzzFrames(count, seed);
console.log(`ubus frames: ${count} inputs raised nothing but the declared errors`);
