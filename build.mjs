/**
 * Builds what goes on the router: `handler.cjs` and `tools.cjs`, which are started, and the parts that they load when they need
 * them. All of them run on Node and on QuickJS. The lab bundles its own programs.
 *
 * A module that one program alone uses is in that program's part. What several use is in a part that they share: so no code is
 * on the router twice, and there are few files to load.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Script } from "node:vm";
import { build } from "esbuild";
import { minify } from "terser";

const { version } = JSON.parse(readFileSync(new URL("./package.json", import.meta.url), "utf8"));

/** Most that each may take with all parts that it can load on one engine, and most of all together, in octets. */
const LIMITS = { handler: 110 * 1024, tools: 200 * 1024, all: 240 * 1024 };

const ENTRIES = ["src/handler.ts", "src/tools.ts"];
const HANDLERS = ["src/cli/proto.ts", "src/cli/hook.ts"];
const EXPLAIN = "src/cli/explain.ts";
const isHandler = (path) => HANDLERS.includes(path);
const isEntry = (path) => ENTRIES.includes(path);
const isEngine = (path) => path.startsWith("src/system/");

/**
 * The parts that programs share; a module goes to the first that takes it. A program that loads one of them loads all above it,
 * except those that stand `alone`; the handler loads none that is for `people`.
 *
 *   base      what is loaded before a program is chosen, and what engines need
 *   ce        from an option to the customer edge, for the handler and for people
 *   texts     what else `explain` needs. QuickJS reads a part at 0.2 ms a kilobyte, and `explain` shall be quick
 *   plans     what else the handler needs
 *   commands  what else several commands need
 */
const SHARED = [
  // QuickJS has no node:fs: nobody else may load it.
  { part: "node", takes: (path) => path.startsWith("src/system/node/"), alone: true },
  { part: "base", takes: (_, users) => users.some((user) => isEntry(user) || isEngine(user)) },
  { part: "ce", takes: (_, users) => users.includes(EXPLAIN) && users.some(isHandler) },
  { part: "texts", takes: (_, users) => users.includes(EXPLAIN), people: true },
  { part: "plans", takes: (_, users) => users.some(isHandler) },
  { part: "commands", takes: () => true },
];

const options = {
  entryPoints: ENTRIES,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node20",
  outdir: "dist",
  // QuickJS's modules, loaded on QuickJS alone.
  external: ["os", "std"],
  legalComments: "none",
  // `global` is a name of Node's for what every engine has.
  define: { MAPMIN_VERSION: JSON.stringify(version), global: "globalThis" },
  metafile: true,
  write: false,
  logLevel: "warning",
  // Programs import modules for the sake of where they go; some of them have no effect.
  logOverride: { "ignored-bare-import": "silent" },
};

/** ini exports one object, of which esbuild would keep everything: what writes INI is used by nobody here. */
const iniThatReads = {
  name: "ini",
  setup({ onLoad }) {
    onLoad({ filter: /\/node_modules\/ini\/lib\/ini\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = text.replace(/\bmodule\.exports = \{[^}]*\}/, "export { decode as parse }");
      if (contents === text) throw new Error(`${path} does not export as it did`);
      return { contents, loader: "js" };
    });
  },
};

/** The modules that a program loads at once, itself included. */
function reached(inputs, program, found = new Set()) {
  if (found.has(program)) return found;
  found.add(program);
  for (const { path, kind, external } of inputs[program]?.imports ?? []) {
    if (!external && kind !== "dynamic-import") reached(inputs, path, found);
  }
  return found;
}

/** The modules in each shared part, and the shared parts that each program loads. */
function share({ inputs, outputs }) {
  const programs = Object.values(outputs).flatMap(({ entryPoint }) => entryPoint ?? []);
  const users = new Map();
  for (const program of programs) {
    for (const path of reached(inputs, program)) users.set(path, [...(users.get(path) ?? []), program]);
  }
  const modules = new Map(SHARED.map(({ part }) => [part, []]));
  for (const [path, all] of users) {
    if (all.length > 1) modules.get(SHARED.find(({ takes }) => takes(path, all)).part).push(path);
  }
  const uses = (program, part) => modules.get(part).some((path) => users.get(path).includes(program));
  const loads = new Map(
    programs.map((program) => {
      const last = SHARED.findLastIndex(({ part }) => uses(program, part));
      return [
        program,
        SHARED.slice(0, last + 1).flatMap(({ part, alone, people }) =>
          alone || (people && isHandler(program)) ? [] : part,
        ),
      ];
    }),
  );
  return { modules, loads };
}

/** Makes each program import all modules of its parts: esbuild keeps together what the same programs import. */
function importing({ modules, loads }) {
  return {
    name: "parts",
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
        const module = path.slice(process.cwd().length + 1);
        const text = readFileSync(path, "utf8");
        if (/^export (let|var)\b/m.test(text))
          throw new Error(`${module}: an exported variable would be a constant elsewhere (asScript)`);
        const added = (loads.get(module) ?? [])
          .flatMap((part) => modules.get(part))
          .filter((other) => other.startsWith("src/") && other !== module)
          .map((other) => `import ${JSON.stringify(join(process.cwd(), other))};`);
        return { contents: `${text}\n${added.join("")}`, loader: "ts" };
      });
    },
  };
}

/** The name of a file, without its ending: the program's, or the shared part's. */
function nameOf({ entryPoint, inputs }, modules) {
  if (entryPoint !== undefined)
    return entryPoint.replace(/^src\/((cli|system)\/)?|\.ts$/g, "").replaceAll("/", "-");
  const inside = Object.keys(inputs);
  return [...modules].find(([, all]) => inside.some((path) => all.includes(path)))?.[0];
}

/**
 * One of esbuild's minified ES modules, as a script. What it imports becomes a constant: esbuild's own CommonJS reaches it by
 * getters, which take `calc` half as long again on QuickJS. `nameOfFile` gives undefined for a file that is empty.
 */
function asScript(text, nameOfFile) {
  const load = (file) => {
    if (!file.startsWith("./")) return `require("${file}")`;
    const name = nameOfFile(file.slice(2));
    return name === undefined ? "0" : `require("./${name}.cjs")`;
  };
  const fields = (names) => names.replaceAll(" as ", ":");
  const turned = (names) => names.split(",").map((pair) => pair.split(" as ").toReversed().join(":"));
  const code = text
    .replaceAll(/\bimport"([^"]+)";/g, (_, file) => `${load(file)};`)
    .replaceAll(
      /\bimport(?:\*as)? ?([\w$]+) from"([^"]+)";/g,
      (_, name, file) => `const ${name}=${load(file)};`,
    )
    .replaceAll(
      /\bimport\{([^}]*)\}from"([^"]+)";/g,
      (_, names, file) => `const{${fields(names)}}=${load(file)};`,
    )
    // Node would load a part as an ES module, which takes 20 ms.
    .replaceAll(/\bimport\("([^"]+)"\)/g, (_, file) => `Promise.resolve().then(()=>${load(file)})`)
    .replace(/\bexport\{([^}]*)\};\s*$/, (_, names) => `module.exports={${turned(names)}};`);
  // An import or an export that is left is an error here.
  new Script(`(function(require,module){${code}})`);
  return code;
}

/**
 * A file that others load. On QuickJS, which has no `require`, it hands its function to the global `part`: there `this` is what is
 * global, on Node it is the module's exports. All of it is in a function: what is global is slower to reach on QuickJS.
 */
const partOf = (code) => `(this.part??(f=>f(require,module)))((require,module)=>{${code}});`;

/** A file that is started: a script to Node, as which it starts 20 ms sooner than as an ES module, and to QuickJS. It exports `ended`. */
const entryOf = (code) => `(async()=>{
let load;
if(typeof require==="function")load=require;
else{
const known={os:await import("os"),std:await import("std")},folder=scriptArgs[0].replace(/[^/]*$/,"");
let given;
globalThis.part=f=>{given=f};
load=name=>{
if(known[name])return known[name];
known.std.loadScript(folder+name.slice(2));
const module={exports:{}};
given(load,module);
return known[name]=module.exports;
};
}
const module={};
((require,module)=>{${code}})(load,module);
await module.exports.ended;
})().catch(e=>{
const text="mapmin: what is in /usr/lib/mapmin does not fit together, install the package map-mdpc again: "+e+"\\n";
if(typeof process==="object"){process.stderr.write(text);process.exitCode=70}
else import("std").then(std=>{std.err.puts(text);std.exit(70)});
});`;

async function minified(text) {
  const { code = "" } = await minify(text, {
    ecma: 2020,
    compress: {
      passes: 6,
      // Functions of one expression alone: what is inlined beyond that takes more room than its call.
      inline: 1,
      unsafe_proto: true,
      hoist_funs: true,
      unsafe: true,
      unsafe_arrows: true,
      unsafe_methods: true,
      pure_getters: true,
    },
    format: { comments: false },
  });
  return code;
}

const { metafile } = await build({ ...options, plugins: [iniThatReads] });
const shared = share(metafile);
const built = await build({ ...options, plugins: [iniThatReads, importing(shared)] });
const files = new Map(
  Object.entries(built.metafile.outputs)
    .filter(([, { bytes }]) => bytes > 0)
    .map(([path, output]) => [basename(path), { ...output, name: nameOf(output, shared.modules) }]),
);
const names = [...files.values()].map(({ name }) => name);
if (names.includes(undefined) || new Set(names).size !== names.length)
  throw new Error(`each file needs a name of its own: ${names.join(", ")}`);

mkdirSync("dist", { recursive: true });
for (const file of readdirSync("dist")) if (file.endsWith(".cjs")) rmSync(join("dist", file));
const octets = new Map();
for (const { path, text } of built.outputFiles) {
  const file = files.get(basename(path));
  if (file === undefined) continue;
  const code = asScript(text, (other) => files.get(other)?.name);
  const content = await minified(isEntry(file.entryPoint) ? entryOf(code) : partOf(code));
  octets.set(file.name, Buffer.byteLength(content));
  writeFileSync(`dist/${file.name}.cjs`, content);
}

/** A file and all that it can load on an engine: what another engine has for itself begins with that one's name. */
function withParts(name, other, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const [, { imports }] = [...files].find(([, file]) => file.name === name);
  for (const { path, external } of imports) {
    const part = external ? undefined : files.get(basename(path));
    if (part !== undefined && !part.name.startsWith(other)) withParts(part.name, other, found);
  }
  return found;
}

const sumOf = (all) => [...all].reduce((total, one) => total + octets.get(one), 0);
for (const [name, limit] of Object.entries(LIMITS)) {
  const sum =
    name === "all"
      ? sumOf(octets.keys())
      : Math.max(...["node", "quickjs"].map((other) => sumOf(withParts(name, other))));
  console.log(`${name}: ${sum} octets of ${limit}`);
  if (sum > limit) {
    console.error(`${name} takes ${sum} octets, more than the ${limit} that a router is asked for`);
    process.exitCode = 1;
  }
}
