"""What users do through the translator, end to end, with a border relay that is not ours: each row of the table is run with
each relay of border_relays.py, in the namespaces of topology.py. Then two customer edges of ours without a relay (mesh.py).

Where a relay itself fails, its class says so; the row then shows that what it was given is right, octet for octet, and that
the relay is what fails: a relay that has learned it makes the row fail.

Arguments: mapmint.ko, then Jool's modules in the order of insertion.
"""

import sys

import mesh
import path_mtu
import relay_cases
from namespaces import sh
from border_relays import Jool, Tayga
from relay_topology import Through
from topology import check, finish

MODULE, JOOL = sys.argv[1], sys.argv[2:]
CASES = (*relay_cases.CASES, *path_mtu.CASES)


def main():
    sh("ip link set lo up")
    for module in (MODULE, *JOOL):
        sh(f"insmod {module}")
    world = Through()
    for relay in (Tayga, Jool):
        world.begin(relay)
        for case in CASES:
            world.fresh()
            try:
                case(world)
            except Exception as error:  # A row that breaks off must not hide the others.
                check(f"{relay.name}: {case.__name__} runs to its end", False, repr(error))
        world.end()
    mesh.run()
    finish()


main()
