import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const stub = join(root, "test/feed/stub");

/** What OpenWrt's scanner looks for in files named Makefile, to tell which directories are packages. */
const SCANNER = /call (Build\/DefaultTargets|BuildPackage|KernelPackage)/;

let top: string;
let feed: string;

/** Runs the feed's Makefile as a build does: in its own directory, reached through links. */
function make(argv: readonly string[] = []): string {
  return execFileSync(
    "make",
    [
      "--no-print-directory",
      "-r",
      "-C",
      join(feed, "mapmin"),
      `TOPDIR=${stub}`,
      `BUILD_ROOT=${top}/build`,
      ...argv,
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  );
}

function definitions(argv: readonly string[] = []): Map<string, string> {
  return new Map(
    make(argv)
      .split("\n")
      .flatMap((line) => {
        const at = line.indexOf("=");
        return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()] as const] : [];
      }),
  );
}

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), "mapmin-feed-"));
  const clone = join(top, "clone");
  for (const path of ["Makefile", "LICENSE", "mapmin", "files", "netifd-proto"]) {
    cpSync(join(root, path), join(clone, path), { recursive: true });
  }
  // Neither npm nor a kernel is there at this point.
  for (const directory of ["core", "net", "nat", "kunit"]) {
    mkdirSync(join(clone, "src/kmod", directory), { recursive: true });
    for (const name of ["some.c", "some.h", "stray.o"])
      writeFileSync(join(clone, "src/kmod", directory, name), "module");
  }
  for (const name of ["Makefile", "main.c", "compat.h", "stray.o", "README.md"])
    writeFileSync(join(clone, "src/kmod", name), "module");
  // As `src-link` does it.
  mkdirSync(join(top, "feeds"));
  symlinkSync(clone, join(top, "feeds/mapmin"));
  feed = join(top, "feeds/mapmin");
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

describe("the scanner", () => {
  test("takes mapmin/ for a package, and nothing else", () => {
    const makefiles = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8",
    })
      .split("\n")
      .filter((path) => basename(path) === "Makefile");
    expect(makefiles).toContain("Makefile");
    expect(makefiles.filter((path) => SCANNER.test(readFileSync(join(root, path), "utf8")))).toEqual([
      "mapmin/Makefile",
    ]);
  });

  test("reads the definitions anew when they change", () => {
    // Its own pattern for that: one line of names relative to the package's directory.
    const match = /^ *SCAN_DEPS *= *(.*)$/m.exec(readFileSync(join(root, "mapmin/Makefile"), "utf8"));
    expect(match?.[1]).toBe("../Makefile");
  });
});

describe("the packages", () => {
  const common = {
    "map-mdpc": ["Network", ""],
    mapminctl: ["Network", ""],
    "kmod-mapmint": ["Kernel modules", "Network Support"],
    "luci-app-mapmin": ["LuCI", "3. Applications"],
  };

  test.each(Object.entries(common))("%s is in the menu %s", (name, [category, submenu]) => {
    const fields = definitions();
    expect(fields.get(`${name}.CATEGORY`)).toBe(category);
    expect(fields.get(`${name}.SUBMENU`)).toBe(submenu);
    expect(fields.get(`${name}.TITLE`)).toMatch(/^MAP.{10,70}$/);
  });

  test("the programs suit every processor, the module does not", () => {
    const fields = definitions();
    expect(fields.get("map-mdpc.PKGARCH")).toBe("all");
    expect(fields.get("mapminctl.PKGARCH")).toBe("all");
    expect(fields.get("luci-app-mapmin.PKGARCH")).toBe("all");
    expect(fields.get("kmod-mapmint.PKGARCH")).toBe("");
  });

  test("mapminctl selects all that a customer edge needs, and map-mdpc what it runs", () => {
    const fields = definitions();
    expect(fields.get("mapminctl.DEPENDS")?.split(/\s+/).sort()).toEqual(["+kmod-mapmint", "+map-mdpc"]);
    expect(fields.get("luci-app-mapmin.DEPENDS")).toBe("@MAPMIN_HAS_LUCI +mapminctl +luci-base");
    expect(fields.get("map-mdpc.DEPENDS")?.split(/\s+/).sort()).toEqual(
      [
        "@IPV6",
        "@(MAPMIN_HAS_NODE||MAPMIN_HAS_QUICKJS)",
        "+MAPMIN_NODE:node",
        "+MAPMIN_QUICKJS:quickjs",
        "+kmod-ip6-tunnel",
        "+kmod-nft-nat",
        // The handler asks nft for JSON.
        "+nftables-json",
        "+conntrack",
      ].sort(),
    );
    // Not kmod-nf-conntrack6: OpenWrt's main has none.
    expect(fields.get("kmod-mapmint.DEPENDS")?.split(" ").sort()).toEqual([
      "+kmod-nf-conntrack",
      "+kmod-nf-nat",
      "@IPV6",
    ]);
  });

  test("the menu's choice of an engine: one that is there, Node first, and never of the package itself", () => {
    const output = make();
    const menu = output.slice(output.indexOf("config MAPMIN_HAS_NODE"), output.indexOf("mapminctl.CATEGORY"));
    // Whether a package is offered is looked up in the menu's own list: an engine of the host alone is not in it.
    for (const engine of ["node", "quickjs"])
      expect(menu).toContain(
        `"$(shell,grep -qsx '.*config PACKAGE_${engine}' tmp/.config-package.in && echo y)" = "y"`,
      );
    const choice = menu.slice(menu.indexOf("choice"), menu.indexOf("endchoice"));
    expect(choice.match(/^\s*default .*$/gm)?.map((line) => line.trim())).toEqual([
      "default MAPMIN_NODE if MAPMIN_HAS_NODE",
      "default MAPMIN_QUICKJS",
    ]);
    // Kconfig would find what the package selects to depend on the package.
    expect(menu).not.toContain("PACKAGE_map-mdpc");
    expect(menu).toMatch(/comment "map-mdpc, mapminctl: .*neither Node nor QuickJS/);
    expect(definitions().get("PKG_CONFIG_DEPENDS")).toBe("CONFIG_MAPMIN_NODE CONFIG_MAPMIN_QUICKJS");
  });

  test("the pages are offered where the feeds have LuCI", () => {
    const output = make();
    expect(output.slice(output.indexOf("config MAPMIN_HAS_LUCI"))).toMatch(
      /^config MAPMIN_HAS_LUCI\s+bool\s+default y if "\$\(shell,grep -qsx '\.\*config PACKAGE_luci-base' tmp\/\.config-package\.in && echo y\)" = "y"$/m,
    );
  });

  test("they take the place of map and kmod-nat46", () => {
    const fields = definitions();
    expect(fields.get("map-mdpc.PROVIDES")).toBe("map-t");
    expect(fields.get("map-mdpc.CONFLICTS")).toBe("map");
    expect(fields.get("mapminctl.CONFLICTS")).toBe("map");
    expect(fields.get("kmod-mapmint.PROVIDES")).toBe("kmod-nat46");
    expect(fields.get("kmod-mapmint.CONFLICTS")).toBe("kmod-nat46");
  });

  test("the module's conflict stays out of the menu: Kconfig finds it recursive", () => {
    const fields = definitions(["DUMP=1"]);
    expect(fields.get("kmod-mapmint.CONFLICTS")).toBe("");
    expect(fields.get("kmod-mapmint.PROVIDES")).toBe("kmod-nat46");
    expect(fields.get("map-mdpc.CONFLICTS")).toBe("map");
  });

  test("the module is loaded at boot, from under the kernel's build directory", () => {
    const fields = definitions();
    expect(fields.get("kmod-mapmint.AUTOLOAD")).toBe("33 mapmint");
    expect(fields.get("kmod-mapmint.FILES")).toBe(`${top}/build/linux/mapmin-0.1.0/mapmint.ko`);
  });

  test("the version is package.json's, in a form that apk takes", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const packaged = definitions().get("PKG_VERSION");
    expect(packaged).toBe(version.replace("-", "_"));
    expect(packaged).toMatch(/^\d+(\.\d+)*(_(alpha|beta|pre|rc)\d*)?$/);
  });

  test("a change of what goes into the packages builds anew, and nothing else does", () => {
    const clone = join(top, "clone");
    expect(definitions().get("PKG_FILE_DEPENDS")?.split(" ")).toEqual(
      ["Makefile", "LICENSE", "files", "netifd-proto", "src/kmod"].map((path) => join(clone, path)),
    );
  });

  test("the maintainer is a name and an address", () => {
    expect(definitions().get("PKG_MAINTAINER")).toMatch(/^[A-Z][\w ]+ <[\w.-]+@[\w.-]+>$/);
  });
});

/** Installs a package; gives its files with their modes. */
function install(name: string, argv: readonly string[] = []): { files: string[]; output: string } {
  const destination = join(top, `root-${name}`);
  rmSync(destination, { recursive: true, force: true });
  mkdirSync(destination);
  const output = make([`install-${name}`, `DESTDIR=${destination}`, ...argv]);
  const files = readdirSync(destination, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${(statSync(path).mode & 0o777).toString(8)} ${path.slice(destination.length)}`;
    })
    .sort();
  return { files, output };
}

describe("what goes on the router", () => {
  test("map-mdpc", () => {
    // A clone's own modes do not matter.
    chmodSync(join(feed, "netifd-proto/map.sh"), 0o600);
    const programs = readdirSync(join(root, "files/usr/lib/mapmin")).filter((name) => name.endsWith(".cjs"));
    expect(programs).toEqual(expect.arrayContaining(["handler.cjs", "tools.cjs", "plans.cjs"]));
    expect(install("map-mdpc").files).toEqual([
      "644 /etc/hotplug.d/iface/30-mapmin",
      "644 /etc/odhcp6c.user.d/mapmin",
      "644 /usr/lib/mapmin/LICENSES/ini",
      "644 /usr/lib/mapmin/LICENSES/zod",
      ...["engine.sh", "hotplug.sh", "odhcp6c.sh", ...programs]
        .sort()
        .map((name) => `644 /usr/lib/mapmin/${name}`),
      "644 /usr/share/nftables.d/chain-post/forward/mapmin.nft",
      "755 /lib/netifd/proto/map.sh",
      "755 /usr/sbin/mdpc",
    ]);
  });

  test("mapminctl", () => {
    expect(install("mapminctl").files).toEqual(["755 /usr/sbin/mapminctl"]);
  });

  test("luci-app-mapmin", () => {
    const resources = "files/www/luci-static/resources";
    const scripts = (folder: string) =>
      readdirSync(join(root, resources, folder)).map((name) => `${folder}/${name}`);
    const all = [...scripts("mapmin"), ...scripts("view/mapmin")];
    expect(all).toContain("view/mapmin/status.js");
    expect(install("luci-app-mapmin").files).toEqual([
      "644 /usr/lib/lua/luci/i18n/mapmin.ja.lmo",
      "644 /usr/share/luci/menu.d/luci-app-mapmin.json",
      "644 /usr/share/rpcd/acl.d/luci-app-mapmin.json",
      ...all.sort().map((path) => `644 /www/luci-static/resources/${path}`),
    ]);
  });

  test("the module is built where it is selected, and only there", () => {
    const building = /^kernel-make M=.*\/build\/linux\/mapmin-0\.1\.0 modules$/m;
    expect(install("map-mdpc").output).not.toMatch(building);
    expect(install("map-mdpc", ["CONFIG_PACKAGE_kmod-mapmint=m"]).output).toMatch(building);
    // What is built of, and no object that somebody's build has left there.
    const sources = ["core", "nat", "net"].flatMap((name) => [name, `${name}/some.c`, `${name}/some.h`]);
    expect(
      readdirSync(join(top, "build/linux/mapmin-0.1.0"), { recursive: true })
        .map(String)
        .filter((path) => !path.startsWith("LICENSES/"))
        .sort(),
    ).toEqual(["LICENSE", "LICENSES", "Makefile", "compat.h", "main.c", ...sources].sort());
  });
});

test("kmod-nat46 in the same image is refused before anything is built", () => {
  const both = ["CONFIG_PACKAGE_kmod-mapmint=y", "CONFIG_PACKAGE_kmod-nat46=y"];
  expect(() => install("map-mdpc", both)).toThrow("kmod-nat46 and kmod-mapmint cannot be in one image");
  // A build that was done before kmod-nat46 was selected prepares anew.
  expect(definitions().get("PKG_PREPARED_DEPENDS")).toBe(
    "CONFIG_PACKAGE_kmod-mapmint CONFIG_PACKAGE_kmod-nat46",
  );
  // What does not build does not stop: `clean`, `download`.
  expect(definitions(both).get("map-mdpc.CATEGORY")).toBe("Network");
  // As packages they can be built beside one another.
  expect(
    install("map-mdpc", ["CONFIG_PACKAGE_kmod-mapmint=m", "CONFIG_PACKAGE_kmod-nat46=y"]).files,
  ).not.toEqual([]);
});

test("test.sh knows every package, and no other", () => {
  const files = join(root, "files/usr");
  const ask = (name: string, version = "0.1.0") =>
    execFileSync("sh", [join(root, "mapmin/test.sh")], {
      env: {
        PATH: `${join(files, "sbin")}:${process.env["PATH"]}`,
        MAPMIN_LIB: join(files, "lib/mapmin"),
        MAPMIN_BIN: dirname(process.execPath),
        PKG_NAME: name,
        PKG_VERSION: version,
      },
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
    });
  expect(ask("mapminctl")).toContain("0.1.0");
  expect(ask("mapminctl")).toContain("192.0.2.18/32");
  // One line that fails is enough.
  expect(() => ask("mapminctl", "9.9.9")).toThrow();
  expect(ask("kmod-mapmint")).toBe("");
  expect(ask("luci-app-mapmin")).toBe("");
  expect(() => ask("another")).toThrow("Untested package: another");
});

test("feeds.conf.example has lines that scripts/feeds reads", () => {
  const lines = readFileSync(join(root, "feeds.conf.example"), "utf8")
    .split("\n")
    .map((line) => line.replace(/#.+$/, ""))
    .filter((line) => /\S/.test(line));
  const names = lines.map(
    (line) => /^src-([\w-]+)((?:\s+--\w+(?:=\S+)?)*)\s+(\w+)(?:\s+(\S.*))?$/.exec(line)?.[3],
  );
  expect(names).toEqual(["packages", "luci", "mapmin"]);
});
