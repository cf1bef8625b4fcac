import { describeEffect } from "../engine/effect.ts";
import { rulesText } from "../engine/rules-file.ts";
import { claimOf, type Step, sessionSteps } from "../engine/steps.ts";
import { parseDeviceName, parseInterfaceName } from "../ip/names.ts";
import { parseIpv6Prefix } from "../ip/text.ts";
import { provision } from "../provision/choose.ts";
import { decodeConfig } from "../provision/request.ts";
import { TABLE_LIMIT } from "../provision/table-text.ts";
import { replaceLines, ruleLines } from "../render/control.ts";
import { addressRequest, updateRequest } from "../render/netifd.ts";
import { renderNft } from "../render/nft.ts";
import { renderForwards } from "../render/nft-forward.ts";
import { stepCommands } from "../render/shell.ts";
import type { System } from "../system/system.ts";
import { InputError } from "../wire/errors.ts";
import { FLAG, parseOptions, TEXT, TEXTS } from "./arguments.ts";
import { Exit, type Io } from "./io.ts";

interface FilesToRead {
  readonly files: Pick<System["files"], "readText">;
}

export const planHelp = `usage: mapminctl plan [--json | --nft | --shell] --pd PREFIX [--pd PREFIX ...]
                      (--option HEX | --rule TEXT | --config JSON) [--iface NAME] [--tunlink NAME]
                      [--device NAME] [--link-mtu OCTETS]

Prints what setup would do, and does nothing.
  --option HEX    the value of DHCPv6 option 48879
  --rule TEXT     a rule in words, as odhcp6c gives it: type=map-t,ipv6prefix=...
  --config JSON   the options of the interface, as netifd hands them over
  --pd PREFIX     a prefix delegated to this CE
  --no-module     as on a router without the kernel module: nftables do the NAT
  --json          everything, as one JSON object
  --nft           the NAT by nftables, as a script for nft
  --shell         commands for a person (the default)
`;

const options = {
  json: FLAG,
  nft: FLAG,
  shell: FLAG,
  pd: TEXTS,
  option: TEXT,
  rule: TEXT,
  config: TEXT,
  iface: { type: "string", default: "wan6_4" },
  tunlink: { type: "string", default: "wan6" },
  device: { type: "string", default: "" },
  "link-mtu": { type: "string", default: "1500" },
  "no-module": FLAG,
  help: FLAG,
} as const;

/** The value of option 48879 as netifd keeps it: code, length, value. */
function asPassthru(hex: string): string {
  return `beef${(hex.length / 2).toString(16).padStart(4, "0")}${hex}`;
}

/** A step as a paragraph of a shell script. */
function paragraph({ title, command }: Step): string {
  return command.length === 0 ? "" : `# ${title}\n${command.join("\n")}\n`;
}

/** A step without its texts: what the handler does, and how it takes that back. */
function outline({ title, do: effect, undo }: Step) {
  return {
    title,
    does: effect === undefined ? null : describeEffect(effect),
    undo: undo.map((part) => ({ title: part.title, does: describeEffect(part.do) })),
  };
}

/** Prints the plan of what is given on the command line. */
export function runPlan(argv: readonly string[], io: Io & FilesToRead): number {
  const { values } = parseOptions(argv, options);
  if (values.help === true) {
    io.stdout(planHelp);
    return Exit.ok;
  }
  const given = [values.option, values.rule, values.config].filter((value) => value !== undefined);
  if (given.length !== 1) {
    io.stderr(`give one of --option, --rule and --config\n\n${planHelp}`);
    return Exit.usage;
  }
  const linkMtu = Number(values["link-mtu"]);
  if (!Number.isInteger(linkMtu) || linkMtu < 1280 || linkMtu > 65_535) {
    throw new InputError("--link-mtu", "expected 1280 to 65535 octets");
  }
  const device = values.device === "" ? "" : parseDeviceName(values.device, "--device");
  const decoded = decodeConfig(values.config ?? JSON.stringify({ rule: values.rule }));
  // Who asks for the script wants the NAT that it is for.
  const config = values.nft === true ? { ...decoded, nat: "nftables" } : decoded;
  const { plan, remarks, source } = provision(parseInterfaceName(values.iface, "--iface"), config, {
    tunlink: config.tunlink ?? parseInterfaceName(values.tunlink, "--tunlink"),
    link: {
      up: true,
      device,
      prefixes: (values.pd ?? []).map((text) => parseIpv6Prefix(text, "pd")),
      ...(values.option === undefined ? {} : { passthru: asPassthru(values.option) }),
    },
    linkMtu,
    neighbours: [],
    moduleLoaded: values["no-module"] !== true,
    rulesText: rulesText(config, (path) => io.files.readText(path, TABLE_LIMIT)),
  });
  const steps = sessionSteps(claimOf(plan), plan, stepCommands);
  if (values.json === true) {
    const text = JSON.stringify(
      {
        source,
        remarks,
        steps: steps.map(outline),
        control:
          plan.module === undefined
            ? []
            : replaceLines(plan.device, undefined, ruleLines(plan.device, plan.module)),
        addDynamic: addressRequest(plan) ?? null,
        notifyProto: updateRequest(plan),
        nft: plan.nat === undefined ? null : renderNft(plan.nat),
        forward: plan.forward === undefined ? null : renderForwards(plan.forward),
      },
      null,
      2,
    );
    io.stdout(`${text}\n`);
    return Exit.ok;
  }
  for (const remark of remarks) io.stderr(`note: ${remark.path}: ${remark.text}\n`);
  if (values.nft === true) io.stdout(plan.nat === undefined ? "" : renderNft(plan.nat));
  else io.stdout(steps.map(paragraph).join(""));
  return Exit.ok;
}
