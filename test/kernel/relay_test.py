"""What users do through the translator, end to end, with a border relay that is not ours: each row of the table is run with
each relay of relays.py, in the namespaces of world.py. Then two customer edges of ours without a relay (mesh.py).

Where a relay itself fails, its class says so; the row then shows that what it was given is right, octet for octet, and that
the relay is what fails: a relay that has learned it makes the row fail.

Arguments: mapmint.ko, then Jool's modules in the order of insertion.
"""

import sys

import mesh
import pathmtu
import rows
from net import sh
from relays import Jool, Tayga
from through import Through
from world import check, finish

MODULE, JOOL = sys.argv[1], sys.argv[2:]
ROWS = (*rows.ROWS, *pathmtu.ROWS)


def main():
    sh("ip link set lo up")
    for module in (MODULE, *JOOL):
        sh(f"insmod {module}")
    world = Through()
    for relay in (Tayga, Jool):
        world.begin(relay)
        for row in ROWS:
            world.fresh()
            try:
                row(world)
            except Exception as error:  # A row that breaks off must not hide the others.
                check(f"{relay.name}: {row.__name__} runs to its end", False, repr(error))
        world.end()
    mesh.run()
    finish()


main()
