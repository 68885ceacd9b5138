#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""create_await on asyncio with uvloop: create_task, one at a time."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402


async def number(i):
    return i


async def main(size):
    total = 0
    for i in range(size):
        total += await asyncio.create_task(number(i))
    return total


if __name__ == "__main__":
    given = contract.parse()
    contract.measure_per_operation(given, given.size, main)
