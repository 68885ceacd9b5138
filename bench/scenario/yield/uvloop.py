#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""yield on asyncio with uvloop: 200 tasks that share out the yields."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402

TASKS = 200


async def yield_times(times):
    for _ in range(times):
        await asyncio.sleep(0)
    return times


async def main(size):
    return sum(await asyncio.gather(*(yield_times(size // TASKS) for _ in range(TASKS))))


if __name__ == "__main__":
    given = contract.parse()
    contract.measure_per_operation(given, given.size, main)
