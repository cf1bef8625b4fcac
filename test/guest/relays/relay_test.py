"""What users do through the translator, end to end, with a border relay that is not ours: each case is run with
each relay of border_relays.py, in the namespaces of topology.py. Then two customer edges of ours without a relay (mesh.py).

Where a relay itself fails, its class says so; the case then shows that what it was given is right, octet for octet, and that
the relay is what fails: a relay that has learned it makes the case fail.

Arguments: mapmint.ko, then Jool's modules in the order of insertion.
"""

import sys

import mesh
import path_mtu
import relay_cases
from border_relays import Jool, Tayga
from checks import attempt, chosen
from namespaces import sh
from relay_topology import Through
from topology import finish

MODULE, JOOL = sys.argv[1], sys.argv[2:]
CASES = (*relay_cases.CASES, *path_mtu.CASES)


def main():
    wanted = chosen((*CASES, *mesh.CASES))
    sh("ip link set lo up")
    for module in (MODULE, *JOOL):
        sh(f"insmod {module}")
    world = Through()
    for relay in (Tayga, Jool):
        world.begin(relay)
        for case in wanted:
            if case not in mesh.CASES:
                world.fresh()
                attempt(case, world, prefix=f"{relay.name}: ")
        world.end()
    mesh.run([case for case in wanted if case in mesh.CASES])
    finish()


main()
