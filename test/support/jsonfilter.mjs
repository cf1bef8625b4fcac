// Stands in for jsonfilter: gives, a line each, what each -e expression selects from a JSON text. Knows the part of its language
// that the hooks use: .name, ['name'], [0], [*], [@.name='value'] and [@.name=0].
//
// A hook asks several times, and starting Node for each would take most of the test's time. So one process answers all, through
// two named pipes: jsonfilter.mjs QUESTION REPLY. `startJsonfilter` of shell-sandbox.ts starts it.
import { readFileSync, writeFileSync } from "node:fs";

const STEP = /^(?:\.([A-Za-z0-9_]+)|\['([^']+)'\]|\[(\d+)\]|\[(\*)\]|\[@\.([a-z]+)=(?:'([^']*)'|(\d+))\])/;

function select(expression, root) {
  if (!expression.startsWith("@")) throw new Error(`not an expression: ${expression}`);
  let rest = expression.slice(1);
  let values = [root];
  while (rest !== "") {
    const match = STEP.exec(rest);
    if (match === null) throw new Error(`not understood: ${rest}`);
    const [text, name, quoted, index, all, key, word, number] = match;
    const wanted = number === undefined ? word : Number(number);
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

function answer(argv, text) {
  const expressions = argv.filter((_argument, position) => argv[position - 1] === "-e");
  const root = JSON.parse(text);
  const lines = expressions.flatMap((expression) => select(expression, root));
  return lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
}

// A question is the arguments, a line each, an empty line, and the JSON text. A named pipe is read to its end.
const [question, reply] = process.argv.slice(2);
for (;;) {
  const text = readFileSync(question, "utf8");
  const end = text.indexOf("\n\n");
  let found = "";
  try {
    found = answer(text.slice(0, end).split("\n"), text.slice(end + 2));
  } catch (error) {
    process.stderr.write(`${error}\n`);
  }
  writeFileSync(reply, found);
}
