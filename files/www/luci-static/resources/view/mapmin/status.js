"use strict";
"require view";
"require poll";
"require ui";
"require mapmin.commands as commands";
"require mapmin.netifd as netifd";
"require mapmin.picture as picture";
"require mapmin.ports as ports";
"require mapmin.remedies as remedies";

/** Network -> MAP -> Status. What came from outside reaches the page as text nodes only: E() is given lists, never a string. */

const SECONDS = 5;
/** Lines of the log that are shown. */
const LINES = 200;

const STYLE = `
.mapmin-columns { display: flex; flex-wrap: wrap; gap: 1.5em; align-items: flex-start; }
.mapmin-columns > .mapmin-facts { flex: 1 1 22em; min-width: 0; }
.mapmin-columns > .mapmin-picture { flex: 1 1 20em; min-width: 0; max-width: 34em; margin: 0; }
.mapmin-map { display: grid; grid-template-columns: auto 1fr; gap: .2em .5em; }
.mapmin-scale { display: flex; flex-direction: column; justify-content: space-between; font-size: 80%; text-align: right; }
.mapmin-map svg { display: block; width: 100%; touch-action: pan-y; }
.mapmin-ground { fill: currentColor; fill-opacity: .07; }
.mapmin-key, .mapmin-ranges { display: flex; flex-wrap: wrap; }
.mapmin-key { gap: .2em 1em; font-size: 90%; margin: .4em 0; }
.mapmin-key > span { display: inline-flex; align-items: center; gap: .4em; }
.mapmin-ranges { gap: 3px; margin: .4em 0; max-height: 9em; overflow: auto; }
.mapmin-cell { width: 14px; height: 14px; border-radius: 2px; flex: none; background: currentColor; }
.mapmin-level-0 { fill: currentColor; fill-opacity: .35; }
.mapmin-cell.mapmin-level-0 { opacity: .35; }
.mapmin-level-1 { fill: var(--primary-color-high, #1976d2); }
.mapmin-cell.mapmin-level-1 { background: var(--primary-color-high, #1976d2); }
.mapmin-level-2 { fill: var(--warn-color-high, #efbd0b); }
.mapmin-cell.mapmin-level-2 { background: var(--warn-color-high, #efbd0b); }
.mapmin-level-3 { fill: var(--error-color-high, #d9534f); }
.mapmin-cell.mapmin-level-3 { background: var(--error-color-high, #d9534f); }
.mapmin-text { overflow-wrap: anywhere; white-space: pre-wrap; }
.mapmin-log { max-height: 24em; overflow: auto; overflow-wrap: anywhere; white-space: pre-wrap; font-size: 85%; }
.mapmin-doctor label { display: inline; float: none; width: auto; padding: 0; text-align: left; }
.mapmin-doctor .btn { margin: 0 .5em .5em 0; }
.mapmin table.table { table-layout: auto; }
.mapmin .td, .mapmin .th { overflow-wrap: anywhere; }
.mapmin summary { cursor: pointer; margin: .5em 0; }
`;

const TRANSPORTS = {
  "map-t": _("MAP-T: IPv4 is translated to IPv6"),
  "map-e": _("MAP-E: IPv4 is carried inside IPv6"),
  lw4o6: _("Lightweight 4over6: IPv4 is carried inside IPv6"),
};
const PROTOCOLS = ["tcp", "udp", "icmp"];

/** A text of a program that the catalogue has too. */
const translated = (text) => (text === undefined || text === null ? "" : _(String(text)));
/** A word of a program for a person, where we know one. */
const worded = (table, word) => (Object.hasOwn(table, word) ? table[word] : word);
const said = (error) => (error instanceof Error ? error.message : String(error));

/** Replaces what is in a node. */
function fill(node, children) {
  node.replaceChildren(...children.filter((child) => child !== null).map((child) => E([], [child])));
  return node;
}

function notice(kind, children) {
  return E("div", { class: `alert-message ${kind} mapmin-text` }, children);
}

function table(titles, rows) {
  return E("table", { class: "table" }, [
    E(
      "tr",
      { class: "tr table-titles" },
      titles.map((title) => E("th", { class: "th" }, [title])),
    ),
    ...rows.map((row) =>
      E(
        "tr",
        { class: "tr" },
        row.map((cell, index) => E("td", { class: "td", "data-title": titles[index] }, [cell])),
      ),
    ),
  ]);
}

function factTable(rows) {
  return E(
    "table",
    { class: "table" },
    rows
      .filter(([, value]) => value !== undefined && value !== null && value !== "")
      .map(([title, value]) =>
        E("tr", { class: "tr" }, [
          E("td", { class: "td left", width: "33%" }, [title]),
          E("td", { class: "td left" }, [value]),
        ]),
      ),
  );
}

const hexadecimal = (number) => `0x${number.toString(16)}`;
const rangeText = ([low, high]) => (low === high ? String(low) : `${low}-${high}`);

function portsText({ ports: count, ranges, psidLength }) {
  if (count === undefined) return undefined;
  if (psidLength === 0) return _("all: the address is not shared");
  if (!Array.isArray(ranges) || ranges.length === 0) return _("%d ports").format(count);
  const shown = ranges.slice(0, 3).map(rangeText).join(", ");
  if (ranges.length === 1) return _("%d ports: %s").format(count, shown);
  return _("%d ports in %d ranges: %s").format(count, ranges.length, ranges.length > 3 ? `${shown}, …` : shown);
}

function facts(report) {
  const { psid, psidLength, psidOffset } = report;
  return factTable([
    [_("IPv4 address"), report.ipv4],
    [
      _("PSID"),
      psidLength === undefined || psidLength === 0
        ? undefined
        : _("%d (%s), %d bits, offset %d").format(psid, hexadecimal(psid), psidLength, psidOffset),
    ],
    [_("Ports"), portsText(report)],
    [_("Reserved ports"), report.reservedPorts],
    [_("Ports for UPnP and PCP"), report.upnpPorts],
    [_("Port forwards"), report.forwards],
    [_("Transport"), report.transport === undefined ? undefined : worded(TRANSPORTS, report.transport)],
    [_("NAT"), natText(report)],
    [_("The rule comes from"), translated(report.source)],
    [_("MAP address"), report.mapIpv6Address],
    [_("IPv6 interface"), report.tunlink],
    [_("Device"), report.device],
    [_("MTU"), report.mtu],
    [_("Since"), report.since],
    [_("Notes"), report.remarks],
  ]);
}

function natText({ nat, natBy }) {
  const by = translated(natBy);
  if (nat === undefined || nat === null) return by;
  if (nat.loaded === true) return by || _("loaded");
  const faults = (nat.faults ?? []).join("; ");
  return nat.loaded === false
    ? _("NOT LOADED as it should be: %s").format(faults)
    : _("not known: %s").format(faults);
}

function useSummary({ inUse, ports: count }) {
  if (inUse === undefined) return null;
  if (inUse === null) return E("p", {}, [_("The kernel's table of flows cannot be read, so it is not known which ports are in use.")]);
  const { tcp, udp, icmp } = inUse.used;
  return E("p", { class: "mapmin-use" }, [
    _("In use: TCP %d, UDP %d, ICMP %d of %d ports; %d flows.").format(tcp, udp, icmp, count, inUse.flows),
  ]);
}

function hostTable({ inUse }) {
  if (!inUse?.hosts?.length) return null;
  return E("div", { class: "mapmin-hosts" }, [
    E("h4", {}, [_("Used by")]),
    table(
      [_("Host"), _("Ports"), _("Flows")],
      inUse.hosts.map(({ address, ports: count, flows, router }) => [
        router ? _("%s (this router)").format(address) : address,
        count,
        flows,
      ]),
    ),
    inUse.moreHosts > 0 ? E("p", {}, [_("and %d more").format(inUse.moreHosts)]) : "",
  ]);
}

function remoteTable({ inUse }) {
  if (!inUse?.remotes?.length) return null;
  return E("div", { class: "mapmin-remotes" }, [
    E("h4", {}, [_("Towards")]),
    E("p", {}, [_("A port can be used once towards each remote end. Where all are in use, no more connections to this one can begin.")]),
    table(
      [_("Protocol"), _("Remote end"), _("Port"), _("Ports in use")],
      inUse.remotes.map(({ protocol, address, port, ports: count, of }) => [
        PROTOCOLS.includes(protocol) ? protocol.toUpperCase() : protocol,
        address,
        port ?? "",
        of === null || of === undefined ? count : bar(count, of),
      ]),
    ),
    inUse.moreRemotes > 0 ? E("p", {}, [_("and %d more").format(inUse.moreRemotes)]) : "",
  ]);
}

/** The theme's own bar, which shows its title. */
function bar(count, of) {
  const percent = of > 0 ? Math.min(100, Math.round((100 * count) / of)) : 0;
  return E("div", { class: "cbi-progressbar", title: _("%d of %d").format(count, of) }, [
    E("div", { style: `width:${percent}%` }),
  ]);
}

function refusalTable({ refused }) {
  if (refused === undefined) return null;
  if (refused === null) return E("p", {}, [_("It is not known which packets were refused.")]);
  if (refused.length === 0) return null;
  return E("div", { class: "mapmin-refused" }, [
    E("h4", {}, [_("Packets that were refused")]),
    table(
      [_("Packets"), _("Reason"), _("Counter")],
      refused.map(({ packets, meaning, reason }) => [packets, translated(meaning), reason]),
    ),
  ]);
}

/** The last errors, with what to do: of the state file, and those that netifd keeps. */
function errorNotices(report, entry) {
  const found = [];
  if (report?.error) found.push(remedies.split(report.error));
  for (const error of netifd.errors(entry)) {
    if (!found.some(({ code }) => code === error.code)) found.push(error);
  }
  return found.map(({ code, text }) => {
    const remedy = remedies.of(code);
    return notice("error", [
      E("strong", {}, [code === "" ? _("Error") : code]),
      E("div", {}, [text]),
      remedy === undefined ? "" : E("div", {}, [_("What to do: %s").format(remedy)]),
    ]);
  });
}

/** An option as `explain` has taken it apart, and those inside it. */
function optionNodes({ name, code, fields, options }) {
  return [
    E("h5", {}, [`${name} (${code})`]),
    table(
      [_("Field"), _("Value"), _("Meaning")],
      fields.map(({ name: field, text, meaning }) => [field, text, translated(meaning)]),
    ),
    ...options.flatMap(optionNodes),
  ];
}

function explanation({ options, remarks, errors, edges }) {
  const line = ({ path, text }) => (path === "" ? text : `${path}: ${text}`);
  return [
    ...errors.map((error) => notice("error", [line(error)])),
    ...remarks.map((remark) => notice("warning", [line(remark)])),
    ...edges.map((edge) =>
      factTable([
        [_("With your prefix, this gives"), edge.ipv4],
        [_("Transport"), worded(TRANSPORTS, edge.transport)],
        [_("PSID"), edge.psidLength === 0 ? undefined : `${edge.psid} (${hexadecimal(edge.psid)})`],
        [_("Ports"), portsText(edge)],
        [_("MAP address"), edge.mapIpv6Address],
      ]),
    ),
    ...options.flatMap(optionNodes),
  ];
}

function diagnosis({ interface: name, healthy, findings, unknown, skipped, passed }, alone) {
  const of = alone || name === null ? "" : `${name}: `;
  return [
    healthy ? notice("success", [of, _("Nothing wrong was found.")]) : "",
    ...findings.map(({ code, text, remedy }) =>
      notice("warning", [
        E("strong", {}, [of, code]),
        E("div", {}, [text]),
        E("div", {}, [_("What to do: %s").format(remedy)]),
      ]),
    ),
    ...unknown.map(({ check, why }) => E("p", {}, [_("Not known: %s: %s").format(check, why)])),
    skipped.length === 0
      ? ""
      : E("p", {}, [_("Not looked at, because of the above: %s").format(skipped.map(({ check }) => check).join(", "))]),
    passed.length === 0 ? "" : E("p", {}, [_("Right: %s").format(passed.join(", "))]),
  ];
}

/** Buttons that start the doctor, and what it found. `name` is null for all interfaces. */
function doctor(name) {
  const result = E("div", { class: "mapmin-diagnosis", "aria-live": "polite" });
  const probe = E("input", { type: "text", class: "cbi-input-text", placeholder: "192.0.2.1", size: 15 });
  const look = async (offline) => {
    fill(result, [E("p", { class: "spinning" }, [_("Looking…")])]);
    try {
      const { answer } = await commands.doctor(name, offline ? null : probe.value.trim());
      fill(result, answer.flatMap((entry) => diagnosis(entry, answer.length === 1)));
    } catch (error) {
      fill(result, [notice("error", [said(error)])]);
    }
  };
  const button = (kind, offline, label) =>
    E(
      "button",
      {
        class: `btn cbi-button cbi-button-${kind}`,
        "data-offline": offline,
        click: ui.createHandlerFn(null, () => look(offline)),
      },
      [label],
    );
  return E("div", { class: "mapmin-doctor" }, [
    E("h4", {}, [_("What is wrong?")]),
    E("p", {}, [_("Goes through everything that the interface needs. With pings, it also asks the border relay: at most 20 packets.")]),
    E("p", {}, [
      E("label", {}, [_("Ping this IPv4 address, too (MAP-T asks nobody without one):"), " ", probe]),
    ]),
    button("action", false, _("Look, with pings")),
    button("neutral", true, _("Look, without sending packets")),
    result,
  ]);
}

/** One interface on the page: made once, then kept up to date, so that what was opened stays open. */
class Panel {
  constructor(name) {
    this.name = name;
    this.state = E("span", { class: "label" });
    this.errors = E("div");
    this.facts = E("div", { class: "mapmin-facts" });
    this.picture = picture.make();
    this.use = E("div");
    this.sent = E("div", {}, [_("Nothing about MAP is in the lease of the IPv6 interface.")]);
    this.asked = "";
    this.node = E("div", { class: "cbi-section mapmin-interface", "data-interface": name }, [
      E("h3", {}, [name, " ", this.state]),
      this.errors,
      E("div", { class: "mapmin-columns" }, [this.facts, this.picture.node]),
      this.use,
      E("details", {}, [E("summary", {}, [_("What the provider sent")]), this.sent]),
      netifd.isInterfaceName(name) ? doctor(name) : "",
    ]);
  }

  update(report, entry, link) {
    const up = report === undefined ? entry?.up === true : report.up === true;
    fill(this.state, [up ? _("up") : _("down")]);
    this.state.className = `label ${up ? "success" : "warning"}`;
    fill(this.errors, errorNotices(report, entry));
    fill(this.facts, [
      report === undefined ? E("p", {}, [_("This interface has not been set up yet.")]) : facts(report),
    ]);
    this.picture.update(report === undefined ? [] : ports.blocks(report));
    fill(
      this.use,
      report === undefined ? [] : [useSummary(report), hostTable(report), remoteTable(report), refusalTable(report)],
    );
    return this.explain(link);
  }

  /** Asks again only when the lease or the prefix has changed. */
  async explain(link) {
    const hex = netifd.mapOptions(link);
    const prefixes = netifd.prefixes(link);
    const question = [hex, ...prefixes].join(" ");
    if (hex === null || question === this.asked) return;
    this.asked = question;
    try {
      const { answer } = await commands.explain(hex, prefixes);
      fill(this.sent, explanation(answer));
    } catch (error) {
      fill(this.sent, [notice("error", [said(error)])]);
    }
  }
}

/** What a question gave, or why it gave nothing: one that fails does not keep the others off the page. */
const settled = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );

async function look() {
  const [status, dump, log] = await Promise.all([
    settled(commands.status()),
    settled(commands.dump()),
    settled(commands.log()),
  ]);
  return { status, dump, log };
}

return view.extend({
  handleSave: null,
  handleSaveApply: null,
  handleReset: null,

  load: look,

  render(seen) {
    this.warnings = E("div");
    this.interfaces = E("div");
    this.log = E("pre", { class: "mapmin-log", tabindex: 0 });
    this.panels = new Map();
    this.none = E("div", { class: "cbi-section" }, [
      E("p", {}, [_("No MAP interface is configured, and no lease has offered one.")]),
      doctor(null),
    ]);
    this.show(seen);
    poll.add(async () => this.show(await look()), SECONDS);
    return E("div", { class: "mapmin" }, [
      E("style", {}, [STYLE]),
      E("h2", {}, [_("MAP: IPv4 over an IPv6 provider")]),
      E("div", { class: "cbi-map-descr" }, [
        _("Many customers share one IPv4 address, and each of them owns some of its ports."),
      ]),
      this.warnings,
      this.interfaces,
      E("div", { class: "cbi-section" }, [E("h3", {}, [_("Log")]), this.log]),
    ]);
  },

  show({ status, dump, log }) {
    const failures = [status, dump, log].filter(({ error }) => error !== undefined);
    const notes = status.value?.notes ?? "";
    fill(this.warnings, [
      ...failures.map(({ error }) => notice("error", [said(error)])),
      // It says on its error output too that there is no interface.
      notes === "" || status.value.answer.length === 0 ? null : notice("warning", [notes]),
    ]);
    if (status.error === undefined && dump.error === undefined) this.showInterfaces(status.value.answer, dump.value);
    if (log.error === undefined) this.showLog(log.value);
  },

  showInterfaces(reports, dump) {
    const names = new Set([
      ...reports.map(({ interface: name }) => name),
      ...netifd.mapInterfaces(dump).map(({ interface: name }) => name),
    ]);
    for (const [name, panel] of this.panels) {
      if (names.has(name)) continue;
      panel.node.remove();
      this.panels.delete(name);
    }
    for (const name of names) {
      if (!this.panels.has(name)) {
        this.panels.set(name, new Panel(name));
        this.interfaces.append(this.panels.get(name).node);
      }
      const report = reports.find(({ interface: other }) => other === name);
      const link = report?.tunlink === undefined ? undefined : netifd.interfaceOf(dump, report.tunlink);
      this.panels.get(name).update(report, netifd.interfaceOf(dump, name), link);
    }
    if (names.size > 0) this.none.remove();
    else this.interfaces.append(this.none);
  },

  showLog(lines) {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 4;
    fill(this.log, [lines.length === 0 ? _("There is no log yet.") : lines.slice(-LINES).join("\n")]);
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  },
});
