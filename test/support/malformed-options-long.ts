import { fuzzOptions } from "./malformed-options.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
console.log(`options: ${count} inputs, seed ${seed}`);
fuzzOptions(count, seed, (done) => console.log(`options: ${done}`));
console.log(`options: ${count} inputs raised nothing but the declared errors`);
