import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIpv4 } from "../../../src/ip/text.ts";
import { contains } from "../../../src/map/port-set.ts";
import { decodeForwards, reservedWith } from "../../../src/provision/forward.ts";

// a = 4, k = 8, PSID 0x34: 15 ranges of 16 ports, 4928-4943, 9024-9039 ... 62272-62287.
const set = { offset: 4, psidLength: 8, psid: 0x34 };

function decoded(lines: readonly string[], reserved: readonly number[] = []) {
  const { forwards, done, remarks } = decodeForwards(lines, set, reserved);
  return {
    done,
    given: forwards.map(
      ({ protocol, port, host, hostPort }) => `${protocol} ${port} ${formatIpv4(host)}:${hostPort}`,
    ),
    refused: remarks.map(({ path, text }) => `${path}: ${text}`),
  };
}

test.each([
  ["tcp 4928 192.168.1.10:80", ["tcp 4928 192.168.1.10:80"]],
  ["udp 4928 192.168.1.10", ["udp 4928 192.168.1.10:4928"]],
  ["  tcp \t4943   192.168.1.10:1 ", ["tcp 4943 192.168.1.10:1"]],
  ["udp 4942-4943 10.0.0.1", ["udp 4942 10.0.0.1:4942", "udp 4943 10.0.0.1:4943"]],
  ["udp 4928-4929 10.0.0.1:65534", ["udp 4928 10.0.0.1:65534", "udp 4929 10.0.0.1:65535"]],
  ["tcpudp 62287 10.0.0.1:9", ["tcp 62287 10.0.0.1:9", "udp 62287 10.0.0.1:9"]],
])("%s", (line, given) => {
  expect(decoded([line])).toEqual({
    given,
    done: [line.trim().replace(/\s+/g, " ")],
    refused: [],
  });
});

const form = "form: expected `tcp 4928 192.168.1.10:80`, or a range of ports";

test.each([
  ["", form],
  ["sctp 4928 192.168.1.10", form],
  ["TCP 4928 192.168.1.10", form],
  ["xtcp 4928 192.168.1.10", form],
  ["tcp 4928", form],
  ["tcp 0 192.168.1.10", form],
  ["tcp 65536 192.168.1.10", form],
  ["tcp 4929-4928 192.168.1.10", form],
  ["tcp 4928 192.168.1.10:0", form],
  ["tcp 4928 192.168.1.10:65536", form],
  ["tcp 4928-4929 192.168.1.10:65535", form],
  ["tcp 4928 192.168.1.10:80-81", form],
  ["tcp 4928 nas:80", form],
  ["tcp 4928 192.168.1.10:80; reboot", form],
  ["tcp 4928 fd00::1", form],
  ["tcp 4928 192.168.1.300", 'IPv4 address: "192.168.1.300" is not an IPv4 address'],
  ["tcp 4928 127.0.0.1", "host: 127.0.0.1/32 is in 127.0.0.0/8, loopback (RFC 1122 s3.2.1.3)"],
  ["tcp 4928 224.0.0.1", "host: 224.0.0.1/32 is in 224.0.0.0/4, multicast (RFC 5771 s3)"],
  ["tcp 80 10.0.0.1", "port: 80 is not in the port set; nearest that are free: 4928"],
  ["tcp 4944 10.0.0.1:80", "port: 4944 is not in the port set; nearest that are free: 4943 and 9024"],
  ["tcp 4940-4950 10.0.0.1", "port: 4944 is not in the port set; nearest that are free: 4943 and 9024"],
  ["tcp 65535 10.0.0.1", "port: 65535 is not in the port set; nearest that are free: 62287"],
])("%j is left out by name, and the others stay", (line, why) => {
  const good = "udp 9024 192.168.1.11";
  const { given, done, refused } = decoded([line, good]);
  expect(given).toEqual(["udp 9024 192.168.1.11:9024"]);
  expect(done).toEqual([good]);
  expect(refused).toEqual([`forward: "${line}" is left out: ${why}`]);
});

test("a port that a line above has is refused, for the same protocol; what is free is told without it", () => {
  const lines = ["tcp 4928-4930 10.0.0.1", "tcp 4930-4931 10.0.0.2", "udp 4930 10.0.0.2", "tcp 80 10.0.0.3"];
  const { done, refused } = decoded(lines, [4931]);
  expect(done).toEqual([lines[0], lines[2]]);
  expect(refused).toEqual([
    'forward: "tcp 4930-4931 10.0.0.2" is left out: port: 4930 is in a line above',
    'forward: "tcp 80 10.0.0.3" is left out: port: 80 is not in the port set; nearest that are free: 4932',
  ]);
});

test("a long line is quoted in part, and a host may have two ports", () => {
  const [refused] = decoded([`tcp ${"9".repeat(500)}`]).refused;
  expect(refused).toBe(`forward: "tcp ${"9".repeat(56)}" is left out: ${form}`);
  expect(decoded(["tcp 4928 10.0.0.1:80", "tcp 4929 10.0.0.1:80"]).given).toHaveLength(2);
});

test("with a whole address any port will do, and there are no more than 4,096", () => {
  const whole = { offset: 6, psidLength: 0, psid: 0 };
  const lines = ["tcp 1-4096 10.0.0.1", "udp 53 10.0.0.1"];
  const { done, remarks } = decodeForwards(lines, whole, []);
  expect(done).toEqual([lines[0]]);
  expect(remarks[0]?.text).toBe('"udp 53 10.0.0.1" is left out: port: more than 4096 in all lines');
  // Not one port of it is made: a provider's NAT would refuse the first one in other words.
  expect(decodeForwards(["tcp 1-4097 10.0.0.1"], undefined, []).remarks[0]?.text).toBe(
    '"tcp 1-4097 10.0.0.1" is left out: port: more than 4096 in all lines',
  );
});

test.each(["tcp 0 10.0.0.1:80", "tcp 65536 10.0.0.1:80", "tcp 65535-65536 10.0.0.1:80"])(
  "with a whole address %s is left out",
  (line) => {
    const { forwards, remarks } = decodeForwards([line], { offset: 6, psidLength: 0, psid: 0 }, []);
    expect(forwards).toEqual([]);
    expect(remarks).toEqual([
      { code: "forward-refused", path: "forward", text: `"${line}" is left out: ${form}` },
    ]);
  },
);

test("where the provider does the NAT, nothing can be forwarded", () => {
  const { forwards, remarks } = decodeForwards(["tcp 4928 10.0.0.1"], undefined, []);
  expect(forwards).toEqual([]);
  expect(remarks[0]?.text).toBe(
    '"tcp 4928 10.0.0.1" is left out: port: the provider does the NAT, and there is no port set',
  );
});

test("forwarded ports are reserved beside the others, in order", () => {
  const { forwards } = decodeForwards(["tcpudp 4930 10.0.0.1", "tcp 4929 10.0.0.1"], set, []);
  expect(reservedWith([4931, 4929], forwards)).toEqual([4929, 4930, 4931]);
});

test("whatever the lines are, each is done or named, and no port is outside the set or given twice", () => {
  const piece = fc.constantFrom(
    "tcp",
    "udp",
    "tcpudp",
    " ",
    "-",
    ":",
    "4928",
    "4943",
    "9024",
    "0",
    "65536",
    "10.0.0.1",
    "x",
  );
  const line = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(piece, { maxLength: 9 }).map((all) => all.join("")),
    fc
      .tuple(
        fc.constantFrom("tcp", "udp", "tcpudp"),
        fc.integer({ min: 4900, max: 4960 }),
        fc.integer({ min: 0, max: 9 }),
      )
      .map(([protocol, low, more]) => `${protocol} ${low}-${low + more} 10.0.0.1`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const { forwards, done, remarks } = decodeForwards(lines, set, []);
      expect(done.length + remarks.length).toBe(lines.length);
      expect(forwards.every(({ port }) => contains(set, port))).toBe(true);
      expect(new Set(forwards.map(({ protocol, port }) => `${protocol} ${port}`)).size).toBe(forwards.length);
    }),
    { numRuns: 1_000 },
  );
});
