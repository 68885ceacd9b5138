#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Ten thousand connections that were used once and are idle now: what each costs, and that each
still works. Where the system allows fewer descriptors the test takes as many as it gets."""

import os
import resource
import sys

from kv_support import Client, KvServer, sanitizer

WANTED = int(os.environ.get("KV_IDLE_CONNECTIONS", "10000"))
MOST_BYTES_EACH = 16 * 1024  # of the server's memory; a regression guard, the figure is printed


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


def allowed_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(WANTED, hard - 200)


def main():
    count = allowed_connections()
    with KvServer() as server, Client(server.port) as first:
        first.call("PING")
        before = resident_bytes(server.pid)
        clients = []
        for _ in range(count):
            clients.append(Client(server.port))
            clients[-1].call("PING")
        each = (resident_bytes(server.pid) - before) / count
        print(f"{count} idle connections: {each:.0f} resident bytes each")
        alive = sum(client.call("PING") == b"+PONG\r\n" for client in clients)
        print(f"{alive} of them still answer")
        for client in clients:
            client.socket.close()
        is_small = each <= MOST_BYTES_EACH or sanitizer() is not None
        return 0 if alive == count and is_small else 1


if __name__ == "__main__":
    sys.exit(main())
