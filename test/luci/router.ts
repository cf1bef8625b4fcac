/**
 * A router as a browser sees it: the files of the page, LuCI's own or their stand-in, and the ubus endpoint. Commands are those of
 * our programs, run here on the files of a router that does not exist; the ACL of the package decides what may be asked.
 */

import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { runExplain } from "../../src/cli/explain.ts";
import { runStatus } from "../../src/cli/status.ts";
import { EffectError } from "../../src/wire/errors.ts";
import { catalogues } from "../../translations.mjs";
import { doctor, healthy, type World } from "../unit/cli/doctor-world.ts";
import { makeTerminal } from "../unit/cli/terminal.ts";
import { readCatalogue } from "../unit/luci/catalogue.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const pages = join(root, "files/www/luci-static/resources");
/** LuCI's own `htdocs` of luci-base, where it is given. */
export const LUCI_ROOT = process.env["LUCI_ROOT"];
const base =
  LUCI_ROOT === undefined ? join(root, "test/luci/standin") : join(LUCI_ROOT, "luci-static/resources");
const theme = join(
  LUCI_ROOT ?? "/nonexistent",
  "../../../themes/luci-theme-bootstrap/htdocs/luci-static/bootstrap",
);

const [PERMISSION_DENIED, NOT_FOUND, NO_DATA, METHOD_NOT_FOUND] = [6, 4, 5, 3];

interface Access {
  readonly file?: Readonly<Record<string, readonly string[]>>;
  readonly ubus?: Readonly<Record<string, readonly string[]>>;
  readonly uci?: readonly string[];
}

/** What rpcd reads of our package. */
export const acl: Readonly<Record<string, { readonly read?: Access; readonly write?: Access }>> = JSON.parse(
  readFileSync(join(root, "files/usr/share/rpcd/acl.d/luci-app-mapmin.json"), "utf8"),
);

/** rpcd refuses a command with its arguments that has no room here. */
const LONGEST_COMMAND = 1024;

/** As rpcd matches: fnmatch without flags, so that `*` is any text. */
function matches(pattern: string, text: string): boolean {
  const quoted = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^]*");
  return new RegExp(`^${quoted}$`).test(text);
}

/** Whether one of the groups allows it. */
export function allows(
  kind: "file" | "ubus",
  subject: string,
  right: string,
  groups: readonly string[] = Object.keys(acl),
): boolean {
  return groups.some((group) =>
    [acl[group]?.read, acl[group]?.write].some((access) =>
      Object.entries(access?.[kind] ?? {}).some(
        ([pattern, rights]) => rights.includes(right) && matches(pattern, subject),
      ),
    ),
  );
}

/** An answer of ubus: a status, and what came with it. */
type Reply = readonly [status: number, data?: object];

export interface Router {
  readonly address: string;
  /** What differs from a healthy router. */
  world: World;
  /** What a command prints instead of what ours would. */
  printed: Map<string, { readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** Interfaces of netifd's dump; undefined: the healthy router's. */
  dump: readonly object[] | undefined;
  /** /tmp/map.log; undefined where there is none. */
  log: string | undefined;
  /** The sections of /etc/config/network. */
  network: Record<string, Record<string, string | string[]>>;
  /** The language of the page: `en`, or one that there is a catalogue of. */
  language: string;
  /** Groups of the ACL that the session has. */
  groups: readonly string[];
  /** Commands that were run. */
  readonly commands: string[];
  /** Commands that the doctor ran. */
  readonly probes: string[];
  /** What was asked and not allowed. */
  readonly denied: string[];
  reset(): void;
  close(): Promise<void>;
}

async function runCommand(words: readonly string[], router: Router) {
  const [command, ...argv] = words;
  const base = healthy("module");
  const files = { ...base.files, ...router.world.files };
  const programs = { ...base.programs, ...router.world.programs };
  const terminal = makeTerminal();
  if (command === "doctor") {
    const { code, out, err, asked } = await doctor("module", argv, router.world);
    router.probes.push(...asked);
    return { code, stdout: out, stderr: err };
  }
  const system = {
    ...terminal,
    files: {
      ...terminal.files,
      readText: (path: string) => {
        const answer = files[path];
        if (answer instanceof Error) throw answer;
        return answer;
      },
      namesIn: (directory: string) =>
        Object.keys(files)
          .filter((path) => path.startsWith(`${directory}/`) && files[path] !== undefined)
          .map((path) => path.slice(directory.length + 1)),
    },
    run: async (file: string, words: readonly string[]) => {
      const line = [file, ...words].join(" ");
      const answer = programs[line];
      if (typeof answer === "string") return answer;
      throw new EffectError(line, "not installed");
    },
  };
  const code =
    command === "status"
      ? await runStatus(argv, system)
      : command === "explain"
        ? runExplain(argv, system)
        : Number.NaN;
  return { code, stdout: terminal.out(), stderr: terminal.err() };
}

async function execute(
  args: { command?: string; params?: readonly string[] | null },
  router: Router,
): Promise<Reply> {
  const line = [args.command ?? "", ...(args.params ?? [])].join(" ");
  if (line.length >= LONGEST_COMMAND || !allows("file", line, "exec", router.groups)) {
    router.denied.push(line);
    return [PERMISSION_DENIED];
  }
  router.commands.push(line);
  const printed = router.printed.get(args.params?.[0] ?? "");
  return [0, printed ?? (await runCommand(args.params ?? [], router))];
}

function uci(method: string, args: Record<string, unknown>, router: Router): Reply {
  const section = String(args["section"] ?? "");
  const named = (values: unknown) => values as Record<string, string | string[]>;
  switch (method) {
    case "get":
      return args["config"] === "network"
        ? [
            0,
            {
              values: Object.fromEntries(
                Object.entries(router.network).map(([name, options], index) => [
                  name,
                  { ".anonymous": false, ".type": "interface", ".name": name, ".index": index, ...options },
                ]),
              ),
            },
          ]
        : [NOT_FOUND];
    case "add":
      router.network[String(args["name"])] = { ...named(args["values"] ?? {}) };
      return [0, { section: args["name"] }];
    case "set":
      router.network[section] = { ...router.network[section], ...named(args["values"]) };
      return [0];
    case "delete": {
      if (args["options"] === undefined && args["option"] === undefined) delete router.network[section];
      for (const option of [args["options"] ?? [], args["option"] ?? []].flat())
        delete router.network[section]?.[String(option)];
      return [0];
    }
    case "order":
      return [0];
    default:
      return [METHOD_NOT_FOUND];
  }
}

/** What luci-base's own ACL allows to everybody: what LuCI asks when a page begins. */
const OF_LUCI: Readonly<Record<string, Reply>> = {
  "luci getFeatures": [0, {}],
  "session access": [0, { access: true }],
  "file list": [0, { entries: [] }],
  "uci changes": [0, { changes: {} }],
};

async function call(
  object: string,
  method: string,
  args: Record<string, unknown>,
  router: Router,
): Promise<Reply> {
  const own = OF_LUCI[`${object} ${method}`];
  if (own !== undefined) return own;
  // So does the configuration of LuCI itself.
  if (object === "uci" && args["config"] === "luci") return [0, { values: {} }];
  if (object === "uci") {
    const readable = router.groups.some((group) =>
      acl[group]?.[method === "get" ? "read" : "write"]?.uci?.includes(String(args["config"])),
    );
    if (readable) return uci(method, args, router);
    router.denied.push(`uci ${method} ${args["config"]}`);
    return [PERMISSION_DENIED];
  }
  if (!allows("ubus", object, method, router.groups)) {
    router.denied.push(`${object} ${method}`);
    return [PERMISSION_DENIED];
  }
  switch (`${object} ${method}`) {
    case "network.interface dump":
      return [
        0,
        router.dump === undefined
          ? (healthy("module").ubus["network.interface dump"] as object)
          : { interface: router.dump },
      ];
    case "file exec":
      return execute(args, router);
    case "file read": {
      const path = String(args["path"]);
      if (!allows("file", path, "read", router.groups)) return [PERMISSION_DENIED];
      if (router.log === undefined) return [NOT_FOUND];
      return router.log === "" ? [NO_DATA] : [0, { data: router.log }];
    }
    default:
      return [METHOD_NOT_FOUND];
  }
}

interface Question {
  readonly id: unknown;
  readonly method: string;
  readonly params?: readonly [string, string, string, Record<string, unknown>];
}

async function answer({ id, method, params }: Question, router: Router): Promise<object> {
  if (method === "list") return { jsonrpc: "2.0", id, result: {} };
  const [, object, name, args] = params ?? ["", "", "", {}];
  const result = await call(object, name, args, router);
  // As uhttpd does: what a session may not do at all is an error of the transport.
  if (result[0] === PERMISSION_DENIED && object !== "file")
    return { jsonrpc: "2.0", id, error: { code: -32002, message: "Access denied" } };
  return { jsonrpc: "2.0", id, result };
}

/** What LuCI gives a page of a catalogue: by the hash of the text. Its stand-in knows no hash, and is given the texts. */
function translations(language: string): Readonly<Record<string, string>> {
  if (language === "en") return {};
  const found = LUCI_ROOT === undefined ? catalogues().find(([name]) => name === language)?.[1] : undefined;
  if (found !== undefined) return Object.fromEntries(found);
  return readCatalogue(readFileSync(join(root, `files/usr/lib/lua/luci/i18n/mapmin.${language}.lmo`)));
}

async function body(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

/** The frame that LuCI's templates make around a view. */
function frame(view: string, dark: string): string {
  const env = { base_url: "/luci-static/resources", ubuspath: "/ubus", scriptname: "/cgi-bin/luci" };
  const more = {
    sessionid: "0".repeat(32),
    token: "x",
    media: "/luci-static/bootstrap",
    resource: "/luci-static/resources",
    documentroot: "/www",
    pathinfo: `/admin/network/${view}`,
    requestpath: ["admin", "network", ...view.split("/")],
    dispatchpath: ["admin", "network", ...view.split("/")],
    pollinterval: 5,
    nodespec: { satisfied: true, action: { type: "view", path: view }, readonly: false },
  };
  return `<!DOCTYPE html>
<html lang="en" data-darkmode="${dark}"><head><meta charset="utf-8"><title>router</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
${existsSync(theme) ? '<link rel="stylesheet" href="/luci-static/bootstrap/cascade.css"><link rel="stylesheet" media="only screen and (max-device-width: 854px)" href="/luci-static/bootstrap/mobile.css">' : ""}
<script src="/translations.js"></script><script src="/luci-static/resources/cbi.js"></script></head>
<body class="lang_en"><header><a class="brand" href="/">router</a><div id="indicators" class="pull-right"></div></header>
<div id="maincontent" class="container"><div id="tabmenu"></div><div id="view"></div></div>
<script src="/luci-static/resources/luci.js"></script>
${LUCI_ROOT === undefined ? '<script src="/luci-static/resources/standin-form.js"></script>' : ""}
<script>L = new LuCI(${JSON.stringify({ ...env, ...more })});</script>
<script>L.require("ui").then((ui) => ui.instantiateView(${JSON.stringify(view)}));</script>
</body></html>`;
}

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
  png: "image/png",
};

function file(path: string): { type: string; content: Buffer } | undefined {
  const inside = normalize(path);
  if (inside.includes("..")) return undefined;
  const [, resource] = /^\/luci-static\/resources\/(.+)$/.exec(inside) ?? [];
  const [, style] = /^\/luci-static\/bootstrap\/(.+)$/.exec(inside) ?? [];
  const candidates =
    resource === undefined ? [join(theme, style ?? "")] : [join(pages, resource), join(base, resource)];
  const found = candidates.find((candidate) => /\.\w+$/.test(candidate) && existsSync(candidate));
  if (found === undefined) return undefined;
  return {
    type: TYPES[found.slice(found.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    content: readFileSync(found),
  };
}

export async function startRouter(): Promise<Router> {
  const server: Server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://router");
    const send = (status: number, type: string, content: string | Buffer) =>
      response.writeHead(status, { "Content-Type": `${type}; charset=utf-8` }).end(content);
    if (request.method === "POST" && pathname.startsWith("/ubus")) {
      const asked = JSON.parse(await body(request)) as Question | Question[];
      const answers = Array.isArray(asked)
        ? await Promise.all(asked.map((one) => answer(one, router)))
        : await answer(asked, router);
      return send(200, "application/json", JSON.stringify(answers));
    }
    if (pathname === "/translations.js")
      return send(200, "text/javascript", `window.TR = ${JSON.stringify(translations(router.language))};`);
    if (pathname === "/page")
      return send(
        200,
        "text/html",
        frame(searchParams.get("view") ?? "", searchParams.get("dark") ?? "false"),
      );
    const found = file(pathname);
    return found === undefined ? send(404, "text/plain", "") : send(200, found.type, found.content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const router: Router = {
    address: `http://127.0.0.1:${port}`,
    world: {},
    printed: new Map(),
    dump: undefined,
    log: undefined,
    network: {},
    language: "en",
    groups: Object.keys(acl),
    commands: [],
    probes: [],
    denied: [],
    reset() {
      Object.assign(router, { world: {}, dump: undefined, log: undefined, network: {}, language: "en" });
      router.groups = Object.keys(acl);
      router.printed.clear();
      for (const list of [router.commands, router.probes, router.denied]) list.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return router;
}
