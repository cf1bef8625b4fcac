/** Stands in for LuCI's own form.js and uci.js: sections of a configuration as fields, which are checked and saved. */
(() => {
  const { rpc } = window.standin;
  const call = (method, params) => rpc.declare({ object: "uci", method, params });
  const [get, add, set, remove] = [
    call("get", ["config"]),
    call("add", ["config", "type", "name", "values"]),
    call("set", ["config", "section", "values"]),
    call("delete", ["config", "section", "options"]),
  ];

  /** The configuration as it was loaded, and as it is now. */
  let loaded = {};
  let now = {};
  const uci = {
    load: async (config) => {
      loaded = (await get(config))?.values ?? {};
      now = structuredClone(loaded);
    },
    get: (_config, section, option) => (option === undefined ? now[section] : now[section]?.[option]) ?? null,
    sections: (_config, type) => Object.values(now).filter((section) => section[".type"] === type),
    add: (_config, type, name) => {
      now[name] = { ".type": type, ".name": name };
    },
    remove: (_config, section) => delete now[section],
    set: (_config, section, option, value) => {
      now[section][option] = value;
    },
    unset: (_config, section, option) => delete now[section][option],
    async save(config) {
      const options = (section) => Object.entries(section ?? {}).filter(([name]) => !name.startsWith("."));
      for (const name of Object.keys(loaded)) if (!(name in now)) await remove(config, name, null);
      for (const [name, section] of Object.entries(now)) {
        if (!(name in loaded)) await add(config, section[".type"], name, {});
        const changed = options(section).filter(
          ([option, value]) => JSON.stringify(loaded[name]?.[option]) !== JSON.stringify(value),
        );
        if (changed.length > 0) await set(config, name, Object.fromEntries(changed));
        const gone = options(loaded[name]).flatMap(([option]) => (option in section ? [] : [option]));
        if (gone.length > 0) await remove(config, name, gone);
      }
      await uci.load(config);
    },
  };

  class Option {
    constructor(section, name, title, description) {
      Object.assign(this, { section, name, title, description, values: [], needs: [], rmempty: true });
      this.data = new Map();
    }
    value(key, label) {
      this.values.push([key, label ?? key]);
    }
    depends(name, value) {
      this.needs.push([name, value]);
    }
    load(id) {
      return uci.get("network", id, this.name);
    }
    write(id, value) {
      uci.set("network", id, this.name, value);
    }
    remove(id) {
      uci.unset("network", id, this.name);
    }
    validate() {
      return true;
    }
    node(id) {
      return document.getElementById(`widget.cbid.network.${id}.${this.name}`);
    }
    isActive(id) {
      return this.needs.every(([name, value]) => this.section.formvalue(id, name) === value);
    }
    widget(_id, value) {
      return E("input", {
        type: "text",
        class: "cbi-input-text",
        value: value ?? "",
        placeholder: this.placeholder,
      });
    }
    formvalue(id) {
      return this.node(id)?.value ?? null;
    }
    render(id) {
      this.data.set(id, this.load(id));
      const field = this.widget(id, this.data.get(id));
      field.id = `widget.cbid.network.${id}.${this.name}`;
      for (const event of ["input", "change"]) field.addEventListener(event, () => this.section.check(id));
      return E("div", { class: "cbi-value", "data-field": `cbid.network.${id}.${this.name}` }, [
        E("label", { class: "cbi-value-title", for: field.id }, [this.title]),
        E("div", { class: "cbi-value-field" }, [
          field,
          E("div", { class: "cbi-value-description" }, [this.description]),
        ]),
      ]);
    }
    check(id) {
      const active = this.isActive(id);
      const node = this.node(id);
      node.closest(".cbi-value").classList.toggle("hidden", !active);
      node.closest(".cbi-value").hidden = !active;
      const value = this.formvalue(id);
      const answer = active ? this.validate(id, value) : true;
      node.classList.toggle("cbi-input-invalid", answer !== true);
      node.title = answer === true ? "" : answer;
      if (!active) return true;
      return value === "" && !this.rmempty ? `Option "${this.title}" must not be empty.` : answer;
    }
    save(id) {
      const value = this.formvalue(id);
      if (!this.isActive(id) || value === "" || value === null) return this.remove(id);
      return value === this.data.get(id) ? undefined : this.write(id, value);
    }
  }
  class ListValue extends Option {
    widget(_id, value) {
      const options = this.values.map(([key, label]) =>
        E("option", { value: key, selected: key === (value ?? "") ? "" : null }, [label]),
      );
      return E("select", { class: "cbi-input-select" }, options);
    }
  }
  class Flag extends Option {
    widget(_id, value) {
      return E("input", { type: "checkbox", checked: value === "1" ? "" : null });
    }
    formvalue(id) {
      return this.node(id).checked ? "1" : "";
    }
    save(id) {
      return this.formvalue(id) === "1" ? this.write(id, "1") : this.remove(id);
    }
  }
  /** LuCI has a field for each entry; here each is a line. What is no list is taken apart at its blanks, as there. */
  class DynamicList extends Option {
    widget(_id, value) {
      return E("textarea", {}, [(Array.isArray(value) ? value : (value ?? "").split(/\s+/)).join("\n")]);
    }
    formvalue(id) {
      const lines = this.node(id)
        .value.split("\n")
        .filter((line) => line !== "");
      return lines.length === 0 ? "" : lines;
    }
    check(id) {
      const answers = [this.formvalue(id)].flat().map((line) => this.validate(id, line));
      const answer = answers.find((one) => one !== true) ?? true;
      this.node(id).classList.toggle("cbi-input-invalid", answer !== true);
      return answer;
    }
  }

  class TypedSection {
    constructor(map, type) {
      Object.assign(this, { map, type, options: [], filter: () => true });
    }
    tab() {}
    taboption(_tab, Kind, ...words) {
      const option = new Kind(this, ...words);
      this.options.push(option);
      return option;
    }
    formvalue(id, name) {
      return this.options.find((option) => option.name === name)?.formvalue(id) ?? null;
    }
    ids() {
      return uci
        .sections("network", this.type)
        .map((section) => section[".name"])
        .filter((name) => this.filter(name));
    }
    check(id) {
      return this.options.map((option) => option.check(id)).filter((answer) => answer !== true);
    }
    render() {
      const name = E("input", { type: "text", class: "cbi-section-create-name" });
      return E("div", { class: "cbi-section" }, [
        ...this.ids().flatMap((id) => [
          /* HTML, as in LuCI. */ E("h3", {}, id.toUpperCase()),
          E(
            "div",
            { class: "cbi-section-node", "data-section-id": id },
            this.options.map((option) => option.render(id)),
          ),
        ]),
        E("div", { class: "cbi-section-create" }, [
          name,
          E(
            "button",
            { class: "cbi-button cbi-button-add", click: (event) => this.handleAdd(event, name.value) },
            ["Add"],
          ),
        ]),
      ]);
    }
  }

  class FormMap {
    constructor(config, title, description) {
      Object.assign(this, { config, title, description, sections: [] });
    }
    section(Kind, type) {
      const section = new Kind(this, type);
      this.sections.push(section);
      return section;
    }
    async render() {
      this.root ??= E("div", { class: "cbi-map" });
      this.root.map = this;
      this.root.replaceChildren(
        E("h2", {}, [this.title]),
        E("div", { class: "cbi-map-descr" }, [this.description]),
        ...this.sections.map((section) => section.render()),
      );
      setTimeout(() => this.check());
      return this.root;
    }
    /** The sections that are on the page: one that was just added is not. */
    shown() {
      return this.sections.flatMap((section) =>
        section.ids().flatMap((id) => (section.options[0].node(id) === null ? [] : [[section, id]])),
      );
    }
    check() {
      return this.shown().flatMap(([section, id]) => section.check(id));
    }
    async save() {
      const wrong = this.check();
      if (wrong.length > 0) throw new Error(wrong.join("\n"));
      for (const [section, id] of this.shown()) for (const option of section.options) option.save(id);
      await uci.save(this.config);
      return this.render();
    }
  }

  window.standin.add("uci", uci);
  window.standin.add("form", { Map: FormMap, TypedSection, Value: Option, ListValue, Flag, DynamicList });
})();
