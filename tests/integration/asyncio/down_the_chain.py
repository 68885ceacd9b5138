# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A request goes to what the task awaits; the child cleans up first, or declines for both."""
import asyncio


async def cleans_up(log):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        await asyncio.sleep(0.01)
        log("child cleaned up")
        raise


async def declines():
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        return 5


async def parent(child, log):
    try:
        log("child gave", await child)
    except asyncio.CancelledError:
        log("parent cancelled")
        raise
    await asyncio.sleep(0.01)
    log("parent went on")


async def run(child):
    child = asyncio.create_task(child)
    above = asyncio.create_task(parent(child, print))
    await asyncio.sleep(0.01)
    print("cancel", above.cancel())
    await asyncio.wait([above])
    print("child", child.cancelled(), "parent", above.cancelled(), "cancelling", above.cancelling())


async def main():
    await run(cleans_up(print))
    await run(declines())


asyncio.run(main())
