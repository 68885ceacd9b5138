# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Cancelling the owner of a task group stops its children and ends cancelled, unless one fails in its clean-up."""
import asyncio


async def sleeps(name, stopped):
    try:
        await asyncio.sleep(30)
    finally:
        stopped.append(name)


async def fails_when_cancelled():
    try:
        await asyncio.sleep(30)
    finally:
        raise ZeroDivisionError("in the clean-up")


async def owner(*children):
    async with asyncio.TaskGroup() as group:
        for child in children:
            group.create_task(child)


async def run(*children):
    task = asyncio.create_task(owner(*children))
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled", task.cancelled())
    except ExceptionGroup as caught:
        print([str(error) for error in caught.exceptions], task.cancelled())


async def main():
    stopped = []
    await run(sleeps("a", stopped), sleeps("b", stopped))
    await run(sleeps("c", stopped), fails_when_cancelled())
    print(sorted(stopped))


asyncio.run(main())
