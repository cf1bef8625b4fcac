/**
 * Stands in for LuCI's own luci.js, ui.js, fs.js, rpc.js: the little that our pages use, with the same names and the same
 * traps (a string that is given to E() is HTML; a list is text). It asks the same ubus endpoint as LuCI does.
 */
(() => {
  const STATUS = [
    "OK",
    "InvalidCommandError",
    "InvalidArgumentError",
    "MethodNotFoundError",
    "NotFoundError",
  ].concat(["NoDataError", "PermissionError"]);
  const classes = new Map();
  let next = 1;

  function append(node, children) {
    if (Array.isArray(children)) {
      for (const child of children) {
        if (child === null || child === undefined) continue;
        node.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
      }
    } else if (children instanceof Node) node.appendChild(children);
    else if (children !== null && children !== undefined) node.innerHTML = String(children);
  }

  window.E = (what, attributes, children) => {
    const node =
      what instanceof Node
        ? what
        : Array.isArray(what)
          ? document.createDocumentFragment()
          : document.createElement(what);
    const named = attributes instanceof Object && !Array.isArray(attributes) && !(attributes instanceof Node);
    for (const [name, value] of Object.entries(named ? attributes : {})) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    append(node, named ? children : attributes);
    return node;
  };

  /** What `extend` of a class makes: another, whose instances have these properties. */
  function extendable(Parent, properties) {
    const Made = class extends Parent {};
    Object.assign(Made.prototype, properties);
    Made.extend = (more) => extendable(Made, more);
    return Made;
  }
  const Base = extendable(Object, {});

  async function ask(method, params) {
    const answer = await fetch("/ubus", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: next++, method, params }),
    });
    const { result, error } = await answer.json();
    if (error !== undefined) throw new Error(error.message);
    return result;
  }

  const rpc = {
    declare:
      ({ object, method, params = [], expect = {} }) =>
      async (...values) => {
        const named = Object.fromEntries(params.map((name, index) => [name, values[index]]));
        const [code, data] = await ask("call", ["0".repeat(32), object, method, named]);
        const [[key, otherwise] = ["", undefined]] = Object.entries(expect);
        const found = key === "" ? (data ?? code) : data?.[key];
        return found === undefined || Array.isArray(found) !== Array.isArray(otherwise)
          ? (otherwise ?? found)
          : found;
      },
  };

  const raise = (reply) => {
    if (typeof reply !== "number" || reply === 0) return reply;
    throw Object.assign(new Error(STATUS[reply] ?? "Error"), { name: STATUS[reply] ?? "Error" });
  };
  const callExec = rpc.declare({ object: "file", method: "exec", params: ["command", "params"] });
  const callRead = rpc.declare({ object: "file", method: "read", params: ["path"] });
  const fs = {
    exec: (command, words) => callExec(command, words).then(raise),
    read: (path) => callRead(path).then((reply) => raise(reply).data),
  };

  const poll = {
    queue: [],
    add(work, seconds) {
      const entry = { work, seconds, ready: true };
      poll.queue.push(entry);
      setInterval(async () => {
        if (!entry.ready) return;
        entry.ready = false;
        await Promise.resolve(work()).finally(() => {
          entry.ready = true;
        });
      }, seconds * 1000);
    },
  };

  const ui = {
    createHandlerFn: (context, work, ...words) =>
      async function handle(event) {
        const button = event.currentTarget;
        button.disabled = true;
        try {
          await work.call(context, ...words, event);
        } finally {
          button.disabled = false;
        }
      },
    addNotification: (_title, children, kind) => {
      document
        .getElementById("maincontent")
        .prepend(E("div", { class: `alert-message ${kind}` }, [children].flat()));
    },
    instantiateView: async (path) => {
      const page = document.getElementById("view");
      const shown = await load(`view.${path.replaceAll("/", ".")}`);
      append(page, [await shown.render(await shown.load())]);
      if (shown.handleSave !== null)
        append(page, [
          E(
            "button",
            { class: "cbi-button cbi-button-save", click: ui.createHandlerFn(shown, shown.handleSave) },
            ["Save"],
          ),
        ]);
    },
  };

  classes.set("baseclass", Base);
  classes.set(
    "view",
    Base.extend({
      load() {},
      render() {},
      async handleSave() {
        const { map } = document.querySelector(".cbi-map");
        await map.save().catch(({ message }) => ui.addNotification(null, E("p", {}, [message]), "error"));
      },
    }),
  );
  for (const [name, instance] of Object.entries({ rpc, fs, poll, ui })) classes.set(name, instance);

  async function compile(name) {
    const answer = await fetch(`/luci-static/resources/${name.replaceAll(".", "/")}.js`);
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    const source = await answer.text();
    const wanted = [...source.matchAll(/^["']require (\S+?)(?: as (\w+))?["'];$/gm)];
    const instances = await Promise.all(wanted.map(([, needed]) => load(needed)));
    const names = wanted.map(([, needed, as]) => as ?? needed.replaceAll(/\W/g, "_"));
    const Made = new Function("window", "document", "L", ...names, `${source}\n//# sourceURL=${name}.js`)(
      window,
      document,
      window.L,
      ...instances,
    );
    return new Made();
  }

  function load(name) {
    if (!classes.has(name)) classes.set(name, compile(name));
    return Promise.resolve(classes.get(name));
  }

  /** For what stands in for the other files. */
  window.standin = { rpc, add: (name, instance) => classes.set(name, instance) };

  window.LuCI = class {
    constructor(env) {
      this.env = env;
    }
    require(name) {
      return load(name);
    }
  };
})();
