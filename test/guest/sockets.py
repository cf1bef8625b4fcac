"""What sockets receive: the datagram, the reply or the error that is asked for, and not one that comes late from before."""

import select
import socket
import struct
import time

from captures import PATIENCE
from namespaces import IP_RECVERR

MSG_ERRQUEUE = 0x2000


def readable(sock, seconds=PATIENCE):
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def source_of(sock, data, seconds=PATIENCE):
    """Where the datagram of just this content comes from, or None."""
    end = time.monotonic() + seconds
    while readable(sock, max(end - time.monotonic(), 0)):
        found, source = sock.recvfrom(65536)
        if found == data:
            return source
    return None


def comes(sock, data, seconds=PATIENCE):
    """Whether the datagram of just this content comes."""
    return source_of(sock, data, seconds) is not None


def icmp_with(sock, mark, kind, seconds=PATIENCE):
    """The ICMP message of this type with this token in it, from a raw socket of ICMP; or None."""
    end = time.monotonic() + seconds
    while readable(sock, max(end - time.monotonic(), 0)):
        message = sock.recv(65536)[20:]
        if message[0] == kind and mark in message:
            return message
    return None


def error_about(sock, mark=b"", seconds=PATIENCE):
    """What a socket with IP_RECVERR hears about the datagram that begins so, or about its connection: (errno, type, code, info,
    offender), or None."""
    poll = select.poll()
    poll.register(sock, select.POLLERR)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and poll.poll(left * 1000):
        try:
            payload, control, _, _ = sock.recvmsg(65536, 512, MSG_ERRQUEUE)
        except BlockingIOError:
            # The connection has ended, and nothing is told of why.
            time.sleep(0.02)
            continue
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_IP, IP_RECVERR) and payload.startswith(mark):
                number, _, kind, code, _, info, _ = struct.unpack("=IBBBBII", data[:16])
                return number, kind, code, info, socket.inet_ntoa(data[20:24])
    return None
