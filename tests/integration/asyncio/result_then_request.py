# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A request that comes after the result, and before the task runs again, replaces it."""
import asyncio


async def waits(future):
    try:
        return await future
    except asyncio.CancelledError:
        return "cancelled instead"


async def main():
    future = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(waits(future))
    await asyncio.sleep(0)
    future.set_result(1)
    print("cancel", task.cancel())
    print(await task)
    print("the future still has", future.result())

    future = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(waits(future))
    await asyncio.sleep(0)
    print("cancel", task.cancel())
    print(await task)
    print("the future is cancelled", future.cancelled())
    try:
        future.set_result(2)
    except asyncio.InvalidStateError:
        print("invalid state")


asyncio.run(main())
