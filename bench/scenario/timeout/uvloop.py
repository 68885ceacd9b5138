#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""timeout on asyncio with uvloop: a timeout of ten seconds around one yield."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402


async def suspend_once(i):
    await asyncio.sleep(0)
    return i


async def main(size):
    total = 0
    for i in range(size):
        async with asyncio.timeout(10):
            total += await suspend_once(i)
    return total


if __name__ == "__main__":
    given = contract.parse()
    contract.measure_per_operation(given, given.size, main)
