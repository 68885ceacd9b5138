# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A shield keeps a cancellation from what it protects, and passes on every outcome."""
import asyncio


async def works(log):
    await asyncio.sleep(0.03)
    log("work ended")
    return 42


async def fails():
    await asyncio.sleep(0)
    raise ValueError("inner")


async def outer(inner):
    return await asyncio.shield(inner)


async def main():
    inner = asyncio.create_task(works(print))
    task = asyncio.create_task(outer(inner))
    await asyncio.sleep(0.01)
    print("cancel", task.cancel())
    await asyncio.wait([task])
    print("outer", task.cancelled(), "inner", inner.done())
    print(await inner, await asyncio.shield(inner))
    try:
        await asyncio.shield(fails())
    except ValueError as error:
        print(error)
    inner = asyncio.create_task(works(print))
    task = asyncio.create_task(outer(inner))
    await asyncio.sleep(0.01)
    inner.cancel()
    await asyncio.wait([task])
    print("outer", task.cancelled(), task.cancelling())


asyncio.run(main())
