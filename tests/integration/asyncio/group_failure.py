# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""The first failure in a task group stops the others and the body; what the body throws is wrapped too."""
import asyncio


async def fails(text):
    await asyncio.sleep(0.01)
    raise ValueError(text)


async def sleeps(name, cancelled):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        cancelled.append(name)
        raise


def texts(group):
    return [str(error) for error in group.exceptions]


async def main():
    cancelled = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails("child"))
            group.create_task(sleeps("sibling", cancelled))
            await sleeps("body", cancelled)
    except ExceptionGroup as caught:
        print(texts(caught), asyncio.current_task().cancelling())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sleeps("first", cancelled))
            group.create_task(sleeps("second", cancelled))
            await asyncio.sleep(0.01)
            raise ValueError("body")
    except ExceptionGroup as caught:
        print(texts(caught), asyncio.current_task().cancelling())
    async with asyncio.TaskGroup() as group:
        lonely = group.create_task(sleeps("lonely", cancelled))
        other = group.create_task(asyncio.sleep(0.01, "other"))
        await asyncio.sleep(0)
        lonely.cancel()
    print(lonely.cancelled(), other.result())
    print(sorted(cancelled))


asyncio.run(main())
