"""What the kernel has lost: by what its caches have in use, and by what kmemleak finds."""

import glob
import os
import re
import time

from namespaces import sh

KMEMLEAK = "/sys/kernel/debug/kmemleak"


def slabs():
    """Octets that each of the kernel's caches has in use, when all that RCU still has to free is free."""
    time.sleep(3)
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")
    # What is kept for the next allocation, or by KASAN's quarantine, counts as used.
    for name in glob.glob("/sys/kernel/slab/*/shrink"):
        with open(name, "w") as file:
            file.write("1")
    with open("/proc/slabinfo") as file:
        rows = [row.split() for row in file.read().splitlines()[2:]]
    return {row[0]: int(row[1]) * int(row[3]) for row in rows}


# kmemleak's own notes, and what the kernel remembers of whom it sent ICMP: it forgets that by itself, above a limit.
OTHERS = re.compile("kmemleak|inet_peer")


def growth(before, after):
    """The sum, and the caches that grew and shrank most, in kB."""
    by_cache = sorted(((after[name] - before.get(name, 0), name) for name in after if not OTHERS.search(name)), reverse=True)
    named = [f"{name} {octets // 1024}" for octets, name in by_cache[:6] + by_cache[-4:] if abs(octets) >= 1024]
    return sum(octets for octets, _ in by_cache), ", ".join(named)


def complaints(log):
    """The lines of a kernel's log that are against us."""
    # The loader's own quarrel with kmemleak in User Mode Linux, before any line of ours has run; and what is judged by `leaks`.
    log = re.sub(r"\[ *[0-9.]+\] kmemleak: (Adding scan area to|Trying to color) unknown object(.*\n).*Comm: insmod(.*\n)*?.*fork_handler.*\n"
                 r"|.* new suspected memory leaks .*\n", "", log)
    return [line for line in log.splitlines()
            if re.search(r"BUG|WARNING|Oops|Call Trace|unregister_netdevice|leak|suspicious|panic|refcount", line)]


def has_kmemleak():
    if os.path.exists("/sys/kernel/debug") and not os.path.exists(KMEMLEAK):
        sh("mount -t debugfs debugfs /sys/kernel/debug")
    return os.path.exists(KMEMLEAK)


def leaks():
    """What kmemleak holds for lost after two scans and what code of ours asked for."""
    # What is only just allocated is not looked at before it is some seconds old.
    for _ in range(2):
        time.sleep(6)
        with open(KMEMLEAK, "w") as file:
            file.write("scan")
    with open(KMEMLEAK) as file:
        found = [part for part in re.split(r"\n(?=unreferenced)", file.read()) if part.startswith("unreferenced")]
    ours = [part for part in found if "[mapmint]" in part]
    print(f"kmemleak: {len(found)} of the whole kernel, {len(ours)} of ours", flush=True)
    return ours
