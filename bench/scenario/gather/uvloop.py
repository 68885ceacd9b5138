#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""gather on asyncio with uvloop: asyncio.gather of a hundred coroutines."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402

WIDTH = 100


async def child(i):
    await asyncio.sleep(0)
    return i


async def together(first):
    return sum(await asyncio.gather(*(child(first + i) for i in range(WIDTH))))


async def main(size):
    total = 0
    for first in range(0, size, WIDTH):
        total += await together(first)
    return total


if __name__ == "__main__":
    given = contract.parse()
    contract.measure_per_operation(given, given.size, main)
