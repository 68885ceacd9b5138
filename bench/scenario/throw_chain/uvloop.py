#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""throw_chain on asyncio with uvloop: an exception through nested coroutines of one task."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402

LEVELS = 50_000


async def level(depth):
    if depth == 0:
        raise RuntimeError("from below")
    return await level(depth - 1) + 1


async def main(depth):
    levels = 0
    while levels < LEVELS:
        try:
            levels += await level(depth)
        except RuntimeError:
            levels += depth
    return levels


if __name__ == "__main__":
    given = contract.parse()
    contract.measure_per_operation(given, LEVELS, main)
