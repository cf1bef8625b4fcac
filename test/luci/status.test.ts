/** Network -> MAP -> Status, in a real browser. With LUCI_ROOT, around it is LuCI's own code. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { link, shown, states, stateText } from "../unit/cli/doctor-world.ts";
import { DESKTOP, makeBench, PATIENCE, PHONE } from "./page.ts";

const HOSTILE = '"><img src=x onerror="window.broken=1"><script>window.broken=1</script>&lt;b&gt; %s %d';

const bench = makeBench();
const show = (options?: Parameters<typeof bench.open>[2]) => bench.open("mapmin/status", ".mapmin", options);

/** The flows of the kernel's table that take `count` ports of the set towards one remote end. */
function flows(ports: readonly number[], host = "192.168.1.2", remote = "203.0.113.10") {
  return ports
    .map(
      (port) =>
        `ipv4     2 tcp      6 431999 ESTABLISHED src=${host} dst=${remote} sport=40000 dport=443 src=${remote} dst=192.0.2.18 sport=443 dport=${port} [ASSURED] mark=0 use=2\n`,
    )
    .join("");
}

/** The ports that the paths of the picture cover, by level. */
async function drawn(): Promise<readonly (readonly number[])[]> {
  const paths = await bench.page.evaluate<string[]>(
    "Array.from(document.querySelectorAll('.mapmin-map path'), (path) => path.getAttribute('d'))",
  );
  return paths.map((path) => {
    const ports: number[] = [];
    for (const [, x, y, width, height] of path.matchAll(/M(\d+) (\d+)h(\d+)v(\d+)h-\d+z/g)) {
      for (let row = 0; row < Number(height); row++)
        for (let column = 0; column < Number(width); column++)
          ports.push((Number(y) + row) * 256 + Number(x) + column);
    }
    return ports.sort((a, b) => a - b);
  });
}

const expand = (ranges: readonly (readonly [number, number])[]) =>
  ranges.flatMap(([low, high]) => Array.from({ length: high - low + 1 }, (_, i) => low + i));

/** The first of the set's ports: RFC 7597's example 1 has 1232-1235, 2256-2259, ... */
const busy = flows([1232, 1233, 1234, 1235, 2256, 2257, 3280], "192.168.1.2");

describe("an interface that is up", () => {
  test("its address, PSID, ports, transport, NAT, and who uses the ports", async () => {
    bench.router.world = { files: { "/proc/net/nf_conntrack": busy } };
    bench.router.log = "2026-11-24T10:12:01Z wan ok setup | map-t 192.0.2.18/32\n";
    const page = await show();
    const text = await page.locator(".mapmin-interface").textContent();
    for (const part of [
      "192.0.2.18/32",
      "52 (0x34), 8 bits, offset 6",
      "252 ports in 63 ranges: 1232-1235, 2256-2259, 3280-3283",
      "MAP-T: IPv4 is translated to IPv6",
      "loaded",
      "In use: TCP 7, UDP 0, ICMP 0 of 252 ports; 7 flows.",
      "192.168.1.2",
      "203.0.113.10",
    ])
      expect(text).toContain(part);
    expect(await page.locator(".mapmin-log").textContent()).toContain("wan ok setup | map-t 192.0.2.18/32");
    await bench.picture("up-desktop-light");
  });

  test("the picture has exactly the ports of the set, each range as full as it is", async () => {
    bench.router.world = { files: { "/proc/net/nf_conntrack": busy } };
    const page = await show();
    const [none, less, half, all] = await drawn();
    expect(all).toEqual([1232, 1233, 1234, 1235]);
    expect(half).toEqual([2256, 2257, 2258, 2259]);
    expect(less).toEqual([3280, 3281, 3282, 3283]);
    const set = Array.from({ length: 63 }, (_, i) => [(i + 1) * 1024 + 208, (i + 1) * 1024 + 211] as const);
    expect(none).toEqual(expand(set.slice(3)));
    expect(await page.locator(".mapmin-ranges .mapmin-cell").count()).toBe(63);
    expect(await page.locator(".mapmin-ranges .mapmin-level-3").getAttribute("title")).toBe(
      "1232-1235: 4 of 4 in use",
    );
  });

  test("an address that is not shared: all ports, and how full each 1,024 of them are", async () => {
    const { psid, psid_length, offset, ...whole } = states.module as Record<string, string>;
    expect([psid, psid_length, offset]).toEqual(["52", "8", "6"]);
    bench.router.world = {
      files: {
        "/var/run/mapmin/wan.state": stateText({ ...whole, psid: "0", psid_length: "0", offset: "6" }),
        "/proc/net/nf_conntrack": flows([5000, 60_000]),
      },
    };
    const page = await show();
    const [none, less] = await drawn();
    expect(less).toEqual([
      ...expand([
        [4096, 5119],
        [59_392, 60_415],
      ]),
    ]);
    expect([...(none ?? []), ...(less ?? [])].sort((a, b) => a - b)).toEqual(expand([[1, 65_535]]));
    expect(await page.locator(".mapmin-facts").textContent()).toContain("all: the address is not shared");
  });

  test("one range of ports, port forwards, and what was refused and why", async () => {
    const one = {
      ...(states.module as Record<string, string>),
      offset: "0",
      forwards: "tcp 13312 192.168.1.10:80",
    };
    bench.router.world = {
      files: {
        "/var/run/mapmin/wan.state": stateText(one),
        "/proc/net/mapmint/counters": "map-wan nat_exhausted 12\nmap-wan drop_no_route 0\n",
      },
    };
    const page = await show();
    const facts = await page.locator(".mapmin-facts").textContent();
    expect(facts).toContain("256 ports: 13312-13567");
    expect(facts).toContain("tcp 13312 192.168.1.10:80");
    const refused = await page.locator(".mapmin-refused").textContent();
    expect(refused).toContain("12no port was free towards the destinationnat_exhausted");
    expect(refused).not.toContain("drop_no_route");
    expect((await drawn())[0]).toEqual(expand([[13_312, 13_567]]));
  });

  test("the pointer tells which port it is at", async () => {
    const page = await show();
    const pointed = (port: number) =>
      page.evaluate<string>(`(() => {
        const drawing = document.querySelector(".mapmin-map svg");
        const { left, top, width, height } = drawing.getBoundingClientRect();
        const clientX = left + ((${port % 256} + 0.6) * width) / 256;
        const clientY = top + ((${Math.floor(port / 256)} + 0.6) * height) / 256;
        drawing.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY }));
        return document.querySelector(".mapmin-pointed").textContent;
      })()`);
    expect(await pointed(33_000)).toBe("33000: not ours");
    expect(await pointed(0)).toBe("0: not ours");
    expect(await pointed(65_535)).toBe("65535: not ours");
    for (const port of [64_720, 64_723]) expect(await pointed(port)).toBe("64720-64723: 0 of 4 in use");
    for (const port of [64_719, 64_724]) expect(await pointed(port)).toBe(`${port}: not ours`);
  });

  test("is looked at again while the page is open, and what was opened stays open", async () => {
    bench.router.dump = [{ ...link, data: { passthru: "beef0000" } }, shown];
    const page = await show();
    await page.locator(".mapmin-interface summary").click();
    expect((await drawn())[3]).toEqual([]);
    bench.router.world = { files: { "/proc/net/nf_conntrack": busy } };
    await page.waitForFunction(
      "document.querySelector('.mapmin-map .mapmin-level-3').getAttribute('d') !== ''",
      undefined,
      PATIENCE,
    );
    expect((await drawn())[3]).toEqual([1232, 1233, 1234, 1235]);
    expect(await page.locator(".mapmin-interface details[open]").count()).toBe(1);
    // What the provider sent has not changed.
    expect(bench.router.commands.filter((line) => line.includes(" explain "))).toHaveLength(1);
    expect(bench.router.commands.filter((line) => line.includes(" status ")).length).toBeGreaterThan(1);
  });
});

describe("what the provider sent", () => {
  /** Option 48879 of the same rule, behind an option of somebody else (DNS servers). */
  const passthru =
    "0017001020010db8000000000000000000000053beef001f004202000d18c000020010002820010db800420300094020010db8ffff0000";

  test("is told field by field, with what follows for the prefix", async () => {
    bench.router.dump = [{ ...link, data: { passthru } }, shown];
    const page = await show();
    await page.locator(".mapmin-interface summary").click();
    const sent = page.locator(".mapmin-interface details");
    await sent.locator("h5").first().waitFor(PATIENCE);
    const text = await sent.textContent();
    expect(text).toContain("OPTION_48879");
    expect(text).toContain("the rule's IPv6 prefix");
    expect(text).toContain("2001:db8:ffff::/64");
    expect(text).toContain("240 ports in 15 ranges");
    expect(bench.router.commands.filter((line) => line.includes(" explain "))).toEqual([
      `/usr/sbin/mapminctl explain --json ${passthru.slice(40)} --pd 2001:db8:12:3400::/56`,
    ]);
  });

  test("an option that cannot be read is said to be so", async () => {
    bench.router.dump = [{ ...link, data: { passthru: passthru.slice(40, 80) } }, shown];
    const page = await show();
    await page.locator(".mapmin-interface summary").click();
    await page.locator(".mapmin-interface details .alert-message.error").first().waitFor(PATIENCE);
  });
});

describe("what is wrong", () => {
  test("the doctor is asked only by its buttons, and sends nothing where that is wanted", async () => {
    const page = await show();
    expect(bench.router.commands.some((line) => line.includes("doctor"))).toBe(false);
    await page.locator(".mapmin-doctor [data-offline=true]").click();
    await page.locator(".mapmin-diagnosis .alert-message.success").waitFor(PATIENCE);
    expect(bench.router.commands).toContain("/usr/sbin/mapminctl doctor --json --offline wan");
    expect(bench.router.probes.filter((line) => line.startsWith("ping"))).toEqual([]);
    await page.locator(".mapmin-doctor [data-offline=false]").click();
    await page.waitForFunction("!document.querySelector('.mapmin-doctor .spinning')", undefined, PATIENCE);
    expect(bench.router.commands).toContain("/usr/sbin/mapminctl doctor --json wan");
    await page.locator(".mapmin-doctor input").fill("192.0.2.1");
    await page.locator(".mapmin-doctor [data-offline=false]").click();
    await page.waitForFunction("!document.querySelector('.mapmin-doctor .spinning')", undefined, PATIENCE);
    expect(bench.router.commands).toContain("/usr/sbin/mapminctl doctor --json --probe 192.0.2.1 wan");
  });

  test("each finding with its remedy", async () => {
    bench.router.world = { files: { "/proc/sys/net/ipv4/ip_forward": "0\n" } };
    const page = await show();
    await page.locator(".mapmin-doctor [data-offline=true]").click();
    const finding = page.locator(".mapmin-diagnosis .alert-message.warning");
    await finding.waitFor(PATIENCE);
    const text = await finding.textContent();
    expect(text).toContain("FORWARDING_OFF");
    expect(text).toContain("What to do: ");
    await bench.picture("finding-desktop-light");
  });

  test("the last error, with what to do", async () => {
    bench.router.world = {
      files: {
        "/var/run/mapmin/wan.state":
          "interface=wan\nstate=failed\nsince=2026-01-02T03:04:05Z\nerror=NO_MATCHING_PD: no prefix of wan6 lies within the rule\n",
      },
    };
    const page = await show();
    const text = await page.locator(".alert-message.error").textContent();
    expect(text).toContain("NO_MATCHING_PD");
    expect(text).toContain("no prefix of wan6 lies within the rule");
    expect(text).toContain("What to do: Check that your provider delegates a prefix");
    expect(await page.locator(".mapmin-interface .label").textContent()).toBe("down");
  });

  test("no interface at all: says so, and offers the doctor", async () => {
    bench.router.world = { files: { "/var/run/mapmin/wan.state": undefined } };
    bench.router.dump = [link];
    const page = await show();
    await page.getByText("No MAP interface is configured").waitFor(PATIENCE);
    expect(await page.locator(".mapmin .alert-message").count()).toBe(0);
    await page.locator(".mapmin-doctor [data-offline=true]").click();
    await page.waitForFunction("!document.querySelector('.mapmin-doctor .spinning')", undefined, PATIENCE);
    expect(bench.router.commands).toContain("/usr/sbin/mapminctl doctor --json --offline");
  });

  test("what may not be asked, or is no answer, is told and leaves the rest", async () => {
    bench.router.printed.set("status", { code: 70, stdout: "", stderr: "mapmin: this is a bug in mapmin" });
    bench.router.log = "a line\n";
    const page = await show();
    expect(await page.locator(".mapmin > div > .alert-message").textContent()).toContain(
      "this is a bug in mapmin",
    );
    expect(await page.locator(".mapmin-log").textContent()).toContain("a line");
  });
});

test("in Japanese", async () => {
  bench.router.language = "ja";
  bench.router.world = { files: { "/proc/net/nf_conntrack": busy } };
  const page = await show();
  const text = await page.locator(".mapmin").textContent();
  for (const part of [
    "IPv4 アドレス",
    "252 ポート、63 範囲: 1232-1235",
    "使用中: TCP 7、UDP 0、ICMP 0（全 252 ポート）、フロー数 7。",
    "すべて使用中",
    "ログはまだありません。",
    "ルールの入手元インターフェースのオプション",
  ])
    expect(text).toContain(part);
  await bench.picture("up-desktop-ja");
});

test("what came from outside is text, whatever is in it", async () => {
  const report = {
    interface: HOSTILE,
    up: true,
    state: HOSTILE,
    since: HOSTILE,
    transport: HOSTILE,
    tunlink: "wan6",
    device: HOSTILE,
    source: HOSTILE,
    ipv4: HOSTILE,
    mapIpv6Address: HOSTILE,
    psid: 52,
    psidLength: 8,
    psidOffset: 6,
    ports: 4,
    ranges: [[1232, 1235]],
    reservedPorts: HOSTILE,
    mtu: HOSTILE,
    inUse: {
      used: { tcp: HOSTILE, udp: 0, icmp: 0 },
      flows: HOSTILE,
      ports: 1,
      ranges: [HOSTILE],
      cells: [],
      remotes: [{ protocol: HOSTILE, address: HOSTILE, port: HOSTILE, ports: 1, of: HOSTILE }],
      fullest: { tcp: 1, udp: 0, icmp: 0 },
      moreRemotes: 0,
      hosts: [{ address: HOSTILE, ports: HOSTILE, flows: HOSTILE, router: true }],
      moreHosts: 1,
    },
    refused: [{ reason: HOSTILE, packets: HOSTILE, meaning: HOSTILE }],
    nat: { loaded: false, faults: [HOSTILE], packets: {} },
    natBy: HOSTILE,
    remarks: HOSTILE,
    error: `NO_RULE: ${HOSTILE}`,
  };
  const field = { name: HOSTILE, text: HOSTILE, meaning: HOSTILE };
  const note = { path: HOSTILE, text: HOSTILE };
  const print = (command: string, value: object) =>
    bench.router.printed.set(command, { code: 1, stdout: JSON.stringify(value), stderr: HOSTILE });
  print("status", [report]);
  print("explain", {
    form: HOSTILE,
    options: [{ code: HOSTILE, name: HOSTILE, fields: [field], options: [] }],
    remarks: [note],
    errors: [note],
    edges: [{ transport: HOSTILE, ipv4: HOSTILE, psid: 1, psidLength: 1, mapIpv6Address: HOSTILE }],
  });
  print("doctor", [
    {
      interface: HOSTILE,
      healthy: false,
      findings: [{ code: HOSTILE, check: HOSTILE, text: HOSTILE, remedy: HOSTILE }],
      unknown: [{ check: HOSTILE, why: HOSTILE }],
      skipped: [{ check: HOSTILE, because: HOSTILE }],
      passed: [HOSTILE],
    },
  ]);
  bench.router.log = `${HOSTILE}\n`;
  const errors = [{ subsystem: HOSTILE, code: HOSTILE, data: [HOSTILE] }];
  bench.router.dump = [
    { ...link, data: { passthru: "beef000100" } },
    { ...shown, errors },
    { interface: HOSTILE, proto: "map", up: true, errors },
  ];
  const page = await show();
  await page.locator(".mapmin-interface summary").first().click();
  await page.locator(".mapmin-doctor [data-offline=true]").first().click();
  await page.locator(".mapmin-diagnosis .alert-message").first().waitFor(PATIENCE);
  await page.locator(".mapmin-interface details h5").first().waitFor(PATIENCE);
  expect(await page.locator(".mapmin img, .mapmin script, .mapmin b").count()).toBe(0);
  expect(await page.evaluate<unknown>("window.broken ?? null")).toBe(null);
  const text = (await page.locator(".mapmin").textContent()) ?? "";
  expect(text.split(HOSTILE).length).toBeGreaterThan(40);
  // Its name is no interface's: no command is offered that would have it in its arguments.
  expect(bench.router.commands.filter((line) => line.includes("<"))).toEqual([]);
  await bench.picture("hostile-desktop-light");
});

describe.each([
  ["desktop", DESKTOP, false],
  ["phone", PHONE, true],
] as const)("at the width of a %s", (name, viewport, isMobile) => {
  test.each([false, true])("nothing is wider than the page (dark: %s)", async (dark) => {
    bench.router.world = { files: { "/proc/net/nf_conntrack": busy } };
    bench.router.dump = [
      {
        ...link,
        data: { passthru: "beef001f004202000d18c000020010002820010db800420300094020010db8ffff0000" },
      },
      // A word that is wider than a phone.
      { ...shown, errors: [{ subsystem: "map", code: "NO_RULE", data: ["a".repeat(300)] }] },
    ];
    bench.router.log = readFileSync("docs/router.md", "utf8").slice(0, 9000);
    const page = await show({ viewport, isMobile, dark });
    await page.locator(".mapmin-interface summary").click();
    await page.locator(".mapmin-doctor [data-offline=true]").click();
    await page.locator(".mapmin-diagnosis .alert-message").waitFor(PATIENCE);
    await page.locator(".mapmin-interface details h5").first().waitFor(PATIENCE);
    await bench.picture(`all-${name}-${dark ? "dark" : "light"}`);
    expect(await bench.overhang()).toBe(0);
  });
});
