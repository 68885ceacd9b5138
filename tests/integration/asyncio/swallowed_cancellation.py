# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A cancellation that was swallowed is over: later awaits are not interrupted."""
import asyncio


async def declines(log):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        log("swallowed")
    await asyncio.sleep(0.01)
    log("slept")
    await asyncio.sleep(0)
    log("yielded")
    return "done"


async def main():
    task = asyncio.create_task(declines(print))
    await asyncio.sleep(0)
    print("cancel", task.cancel())
    print(await task)
    print("cancelled", task.cancelled(), "cancelling", task.cancelling())
    print("again", task.cancel())


asyncio.run(main())
