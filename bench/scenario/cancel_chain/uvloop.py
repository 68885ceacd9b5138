#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""cancel_chain on asyncio with uvloop: tasks that await each other; the outermost is cancelled and
awaited."""

import asyncio
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402

LEVELS = 50_000


class Run:
    def __init__(self, depth):
        self.depth = depth
        self.ended = 0
        self.nanoseconds = 0

    async def level(self, depth, begun):
        try:
            if depth == 1:
                begun.set_result(None)
                await asyncio.sleep(3600)
            else:
                await asyncio.create_task(self.level(depth - 1, begun))
        finally:
            self.ended += 1

    async def cancel_one(self):
        begun = asyncio.get_running_loop().create_future()
        chain = asyncio.create_task(self.level(self.depth, begun))
        await begun
        await asyncio.sleep(0)
        start = time.perf_counter_ns()
        chain.cancel()
        try:
            await chain
        except asyncio.CancelledError:
            self.nanoseconds += time.perf_counter_ns() - start

    async def cancel_all(self):
        while self.ended < LEVELS:
            await self.cancel_one()


if __name__ == "__main__":
    given = contract.parse()
    for _ in range(given.repeat):
        run = Run(given.size)
        with contract.runner() as loop:
            loop.run(run.cancel_all())
        contract.report(run.nanoseconds / LEVELS, "ns/op", run.ended)
