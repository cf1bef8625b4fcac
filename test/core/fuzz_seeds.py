"""Seeds for the fuzz targets of the module's core, made of the packet pairs and their rule sets.

    fuzz_seeds.py FOLDER test/vectors/rfc7915 test/vectors/tunnel      writes FOLDER/packet and FOLDER/control
"""

import os
import sys

from packet_pairs import rows, rule_sets

INCOMING, REPAIR, CUT, PATH = 1, 2, 4, 8
PATHS = (1500, 1280, 1281, 1400, 1480, 9000, 65535, 1499)
# Lines as OpenWrt's scripts write them, and such that are wrong in one word.
CONTROL = (
    "add map0\n",
    "del map0\n",
    "config wan6 local.style NONE local.v4 192.0.0.1/32 local.v6 2001:db8::464/128 remote.style RFC6052 remote.v4 0.0.0.0/0"
    " remote.v6 64:ff9b::/96\n",
    "remove map0 remote.v4 192.0.2.0/24 remote.style MAP\n",
    "config map0 debug 3\n",
    "config map0 local.v4 192.0.2.0/33\n",
    "config map0 local.ea-len\n",
    "insert map0 remote.style MAP remote.ea-len 48 remote.psid-offset 15\n",
)


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def main():
    folder, *sources = sys.argv[1:]
    # In the order in which the fuzz target reads them.
    names = [(source, name) for source in sources for name in rule_sets(source)]
    for source, row in ((source, row) for source in sources for row in rows(source)):
        keys = dict(key.split("=") for key in row.keys)
        flags = INCOMING * (row.question == "x64") | CUT * (keys.get("cut") == "1")
        flags |= PATH * (PATHS.index(int(keys["limit6"])) if int(keys.get("limit6", 0)) in PATHS else 0)
        name = f"{row.file[:-4]}-{row.name}"
        write(f"{folder}/packet", name, bytes([names.index((source, row.rules)), flags]) + row.packet)
    for source, name in names:
        write(f"{folder}/control", f"{os.path.basename(source)}-{name}", ("\n".join(rule_sets(source)[name]) + "\n").encode())
    for number, line in enumerate(CONTROL):
        write(f"{folder}/control", f"line-{number}", line.encode())


main()
