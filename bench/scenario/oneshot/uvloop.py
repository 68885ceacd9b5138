#!/usr/bin/python3 -P
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""oneshot on asyncio with uvloop: a created task answers one question, over two futures."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "contract"))
import contract  # noqa: E402


async def answer(question, reply):
    reply.set_result(await question)


async def ping_pong(loop, i):
    question, reply = loop.create_future(), loop.create_future()
    task = asyncio.create_task(answer(question, reply))
    question.set_result(i)
    result = await reply
    del task  # the loop itself refers to it weakly
    return result


async def main(size):
    loop = asyncio.get_running_loop()
    total = 0
    for i in range(size):
        total += await ping_pong(loop, i)
    return total


if __name__ == "__main__":
    given = contract.parse()
    contract.measure_per_operation(given, given.size, main)
