"use strict";
"require view";
"require form";
"require uci";
"require ui";
"require mapmin.rules as rules";

/** Network -> MAP -> Interfaces: the options of interfaces with `proto 'map'`, those too that LuCI's own form does not know. */

/** What UCI takes as a section's name. Others cannot be there, and LuCI would make HTML of them. */
const SECTION = /^\w{1,64}$/;
const RULE_OPTIONS = ["maptype", "peeraddr", "ip6prefix", "ip6prefixlen", "psidlen", "psid", "offset"];

const isMap = (name) => SECTION.test(name) && uci.get("network", name, "proto") === "map";

/** The value of an option in the form, as text. */
const written = (section, id, name) => String(section.formvalue(id, name) ?? "");

/** Adds options to a tab of a section. `linked` are the options of all tabs whose values must agree. */
class Tab {
  constructor(section, linked, name, title) {
    this.section = section;
    this.linked = linked;
    this.name = name;
    section.tab(name, title);
  }

  add(kind, name, title, description) {
    return this.section.taboption(this.name, kind, name, title, description);
  }

  /** A line of text that is checked by the rule of its option. */
  text(name, title, description, placeholder) {
    const option = this.add(form.Value, name, title, description);
    option.placeholder = placeholder;
    option.validate = (id, value) => {
      const own = rules.check(name, value);
      if (own !== true || !RULE_OPTIONS.includes(name)) return own;
      const values = Object.fromEntries(RULE_OPTIONS.map((other) => [other, written(this.section, id, other)]));
      return rules.together({ ...values, [name]: String(value ?? "") })?.[name] ?? true;
    };
    return this.link(option, name);
  }

  /** LuCI looks at a value again when it changes itself: whether it is right may hang on another. */
  link(option, name) {
    if (!RULE_OPTIONS.includes(name)) return option;
    this.linked.push(option);
    option.onchange = (_event, id) => {
      for (const other of this.linked) other.triggerValidation(id);
    };
    return option;
  }

  choice(name, title, description, choices) {
    const option = this.add(form.ListValue, name, title, description);
    for (const [value, label] of choices) option.value(value, label);
    return this.link(option, name);
  }

  /** Yes or no, however it was written: the handler takes more words than LuCI. */
  flag(name, title, description) {
    const option = this.add(form.Flag, name, title, description);
    option.load = (id) => (rules.isYes(uci.get("network", id, name)) ? "1" : "0");
    return option;
  }
}

function general(section, linked) {
  const tab = new Tab(section, linked, "general", _("General"));
  const links = uci
    .sections("network", "interface")
    .filter(({ proto, ".name": name }) => proto !== "map" && proto !== "static" && SECTION.test(name))
    .map(({ ".name": name }) => name);
  const named = uci
    .sections("network", "interface")
    .filter(({ ".name": name }) => isMap(name))
    .map(({ tunlink }) => tunlink)
    .filter((name) => typeof name === "string" && name !== "");
  tab.choice("tunlink", _("IPv6 interface"), _("The interface that carries the traffic."), [
    ["", _("wan6 (if not set)")],
    ...[...new Set([...links, ...named])].map((name) => [name, name]),
  ]);
  const type = tab.choice("maptype", _("Type"), _("If not set: what the provider sends; for a rule that you type, MAP-E."), [
    ["", _("not set")],
    ["map-e", "MAP-E"],
    ["map-t", "MAP-T"],
    ["lw4o6", "lw4o6"],
  ]);
  // `type` is the same by an older name, and comes first.
  type.load = (id) => uci.get("network", id, "type") ?? uci.get("network", id, "maptype") ?? "";
  type.write = (id, value) => {
    uci.unset("network", id, "type");
    uci.set("network", id, "maptype", value);
  };
  type.remove = (id) => {
    uci.unset("network", id, "type");
    uci.unset("network", id, "maptype");
  };
  tab.choice("nat", _("NAT"), _("What does the NAT, and carries MAP-E and lw4o6. If not set: the kernel module where it is loaded."), [
    ["", _("not set")],
    ["auto", "auto"],
    ["module", _("kernel module")],
    ["nftables", "nftables"],
  ]);
  tab.text("zone", _("Firewall zone"), _("Where it is not set, add the interface to a zone in the firewall's settings."), "");
}

function rule(section, linked) {
  const tab = new Tab(section, linked, "rule", _("Rule"));
  const source = tab.choice(
    "_source",
    _("The rule comes from"),
    _("On saving, what belongs to the other choices is deleted."),
    [
      ["dhcpv6", _("the provider, over DHCPv6")],
      ["typed", _("the fields below")],
      ["table", _("a table of rules")],
      ["text", _("a rule as text")],
    ],
  );
  source.load = (id) => rules.source(uci.get("network", id) ?? {});
  source.write = () => {};
  source.remove = () => {};
  source.rmempty = false;
  const only = (value, option, needed = false) => {
    option.depends("_source", value);
    option.rmempty = !needed;
    return option;
  };
  only("table", tab.text("rules", _("File"), _("JSON or CSV: mapminctl rules check tells what is wrong with it."), "/etc/mapmin/rules.json"), true);
  only("text", tab.text("rule", _("Rule"), _("As odhcp6c writes it."), "type=map-e,ealen=16,..."), true);
  only("typed", tab.text("peeraddr", _("Border relay"), _("Its address; for MAP-T its prefix (DMR)."), "2001:db8:ffff::1"), true);
  only("typed", tab.text("ipaddr", _("IPv4 prefix"), "", "192.0.2.0"), true);
  only("typed", tab.text("ip4prefixlen", _("IPv4 prefix length"), "", "32"));
  only("typed", tab.text("ip6prefix", _("IPv6 prefix"), "", "2001:db8::"), true);
  only("typed", tab.text("ip6prefixlen", _("IPv6 prefix length"), "", ""));
  only("typed", tab.text("ealen", _("EA bits"), _("How many bits of your prefix carry IPv4 address and PSID."), "0"));
  only("typed", tab.text("psidlen", _("PSID length"), _("Where the EA bits do not give it."), ""));
  only("typed", tab.text("psid", _("PSID"), _("Where the EA bits do not give it."), ""));
  only("typed", tab.text("offset", _("PSID offset"), "", "6"));
  tab.flag("legacymap", _("Old interface identifier"), _("That of the drafts before RFC 7597."));
  tab.flag("allow_private", _("Accept private addresses"), _("In rules: some providers share private addresses, and translate once more."));
}

function ports(section, linked) {
  const tab = new Tab(section, linked, "ports", _("Ports"));
  const forward = tab.add(
    form.DynamicList,
    "forward",
    _("Port forwards"),
    _("Protocol (tcp, udp, tcpudp), port of your set or a range, host and its port. They work both ways."),
  );
  forward.placeholder = "tcp 4928 192.168.1.10:80";
  // One line that is not in a list is not to be taken apart at its blanks.
  forward.load = (id) => [uci.get("network", id, "forward") ?? []].flat();
  forward.validate = (_id, value) => rules.check("forward", value);
  tab.text(
    "reserved_ports",
    _("Reserved ports"),
    _("Ports of your set for servers on the router and for redirects of the firewall: NAT does not use them."),
    "80 5000-5003",
  );
  tab.text("upnp_ports", _("Ports for UPnP and PCP"), _("How many ports of your set miniupnpd may hand out."), "0");
  tab.text("dont_snat_to", _("Reserved ports (dont_snat_to)"), _("The same, by the name that LuCI's own form writes."), "");
}

function tunnel(section, linked) {
  const tab = new Tab(section, linked, "tunnel", _("Tunnel"));
  tab.text("ip6ifaceid", _("Interface identifier"), _("Only if your provider gives you one (MAP-E, lw4o6)."), "::1");
  tab.text("mtu", _("MTU"), _("The largest IPv4 packet, in octets. If not set, it follows from the IPv6 interface."), "");
  tab.text("ttl", _("Hop limit"), _("Of the tunnel (MAP-E, lw4o6)."), "64");
  tab.text("encaplimit", _("Encapsulation limit"), _("Of the tunnel (MAP-E, lw4o6)."), "ignore");
}

return view.extend({
  load: () => uci.load("network"),

  render() {
    const map = new form.Map(
      "network",
      _("MAP interfaces"),
      _("Interfaces with the protocol map. Without one, an interface is made by itself when a lease has a MAP rule."),
    );
    const section = map.section(form.TypedSection, "interface");
    section.addremove = true;
    section.filter = isMap;
    section.handleAdd = function (_event, name) {
      if (!SECTION.test(name) || uci.get("network", name) != null) {
        ui.addNotification(null, E("p", {}, [_("There is an interface of this name, or it is not a valid name.")]), "warning");
        return null;
      }
      uci.add("network", "interface", name);
      uci.set("network", name, "proto", "map");
      return this.map.save(null, true);
    };
    const linked = [];
    for (const add of [general, rule, ports, tunnel]) add(section, linked);
    return map.render();
  },
});
