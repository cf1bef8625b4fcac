// Stands in for jsonfilter: reads JSON on standard input and prints, a line each, what each -e expression selects. Knows
// the part of its language that the hooks use: .name, ['name'], [0], [*], and [@.name='value'].
import { readFileSync } from "node:fs";

const STEP = /^(?:\.([A-Za-z0-9_]+)|\['([^']+)'\]|\[(\d+)\]|\[(\*)\]|\[@\.([a-z]+)='([^']*)'\])/;

function select(expression, root) {
  if (!expression.startsWith("@")) throw new Error(`not an expression: ${expression}`);
  let rest = expression.slice(1);
  let values = [root];
  while (rest !== "") {
    const match = STEP.exec(rest);
    if (match === null) throw new Error(`not understood: ${rest}`);
    const [text, name, quoted, index, all, key, wanted] = match;
    rest = rest.slice(text.length);
    values = values.flatMap((value) => {
      if (value === null || typeof value !== "object") return [];
      if (all !== undefined) return Object.values(value);
      if (key !== undefined) return Object.values(value).filter((element) => element[key] === wanted);
      const property = name ?? quoted ?? index;
      return property in value ? [value[property]] : [];
    });
  }
  return values;
}

const argv = process.argv.slice(2);
const expressions = argv.filter((_argument, position) => argv[position - 1] === "-e");
const root = JSON.parse(readFileSync(0, "utf8"));
const lines = expressions.flatMap((expression) => select(expression, root));
for (const line of lines) console.log(typeof line === "string" ? line : JSON.stringify(line));
process.exit(lines.length > 0 ? 0 : 1);
