"""Network namespaces, programs and sockets in them."""

import ctypes
import os
import socket
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IP_NODEFRAG = 11, 10, 14, 22
PMTUDISC_DO = 2
# What each namespace has for itself, or the machine for all of them, as the kernel is made.
MAY_BE_SHARED = ("net.ipv4.icmp_msgs_per_sec", "net.ipv4.icmp_msgs_burst")


VERBOSE = os.environ.get("guest_verbose") or os.environ.get("MAPMIN_VERBOSE")


def told(command, namespace="", text=None):
    """With `test/run -v`: each command, with the namespace that it runs in."""
    if VERBOSE:
        print(f"[{namespace}] {command}", flush=True)
        for line in (text or "").rstrip("\n").split("\n") if text else ():
            print(f"[{namespace}] <<< {line}", flush=True)


def sh(command, text=None, namespace=""):
    told(command, namespace, text)
    if namespace:
        command = f"ip netns exec {namespace} {command}"
    done = subprocess.run(command.split(), input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    def __init__(self, name):
        self.name = name
        sh(f"ip netns add {name}")
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        self.run("ip link set lo up")

    def run(self, command, text=None):
        return sh(command, text, self.name)

    def outcome(self, *words):
        """Runs a program whose failure is an answer: (exit code, what it printed)."""
        told(" ".join(words), self.name)
        done = subprocess.run(["ip", "netns", "exec", self.name, *words], capture_output=True, text=True)
        return done.returncode, done.stdout

    def set(self, key, value):
        # Where a kernel has one limit of ICMP errors for all namespaces, init.sh has set it.
        if key in MAY_BE_SHARED and self.outcome("sysctl", "-n", key)[0] != 0:
            return
        self.run(f"sysctl -qw {key}={value}")

    def socket(self, *kind):
        """A socket stays in the namespace it was made in; only the making needs the thread to be there."""
        if LIBC.setns(self.fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        return socket.socket(*kind)

    def udp(self, address="0.0.0.0", port=0, to=None):
        made = self.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        if to is not None:
            made.connect(to)
        return made

    def raw(self):
        made = self.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        made.setsockopt(socket.SOL_IP, IP_NODEFRAG, 1)
        return made

    def icmp(self):
        made = self.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        made.settimeout(2)
        return made
