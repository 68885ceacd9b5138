# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A task that is cancelled before its first step runs no statement; one that misses a request by returning is cancelled."""
import asyncio


async def body(log):
    try:
        log("ran")
    finally:
        log("finally")


async def misses(value):
    asyncio.current_task().cancel()
    return value


async def fails():
    asyncio.current_task().cancel()
    raise ValueError("own error")


async def outcome(task):
    try:
        return await task
    except asyncio.CancelledError:
        return "cancelled"
    except ValueError as error:
        return str(error)


async def main():
    task = asyncio.create_task(body(print))
    task.cancel()
    print(await outcome(task), task.cancelled())
    task = asyncio.create_task(misses(12))
    print(await outcome(task), task.cancelled())
    task = asyncio.create_task(fails())
    print(await outcome(task), task.cancelled(), task.cancelling())


asyncio.run(main())
