#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""tcp_echo on asyncio with uvloop: a protocol, which is its fastest way; it sets TCP_NODELAY."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def serve():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(f'{{"port": {server.sockets[0].getsockname()[1]}}}', flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    contract.parse()
    with contract.runner() as loop:
        loop.run(serve())
