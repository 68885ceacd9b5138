# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A limit cancels, waits for the real end, and gives way to the body's own outcome; of two equal ones the outer counts."""
import asyncio


async def cleans_up_slowly(log):
    try:
        await asyncio.sleep(30)
    finally:
        await asyncio.sleep(0.03)
        log("cleaned up")


async def declines():
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        return "late value"


async def fails_when_cancelled():
    try:
        await asyncio.sleep(30)
    finally:
        raise ValueError("in the clean-up")


async def within(limit, body):
    try:
        async with asyncio.timeout(limit):
            return await body
    except TimeoutError:
        return "timeout"
    except ValueError as error:
        return str(error)


async def inner_of_two(when, log):
    try:
        async with asyncio.timeout_at(when):
            await asyncio.sleep(30)
    except TimeoutError:
        log("inner timeout")
    except asyncio.CancelledError:
        log("inner cancelled")
        raise


async def main():
    print(await within(0.02, cleans_up_slowly(print)))
    print(await within(0.02, declines()))
    print(await within(0.02, fails_when_cancelled()))
    print(await within(30, asyncio.sleep(0, "in time")))
    when = asyncio.get_running_loop().time() + 0.02
    try:
        async with asyncio.timeout_at(when):
            await inner_of_two(when, print)
    except TimeoutError:
        print("outer timeout")
    print("cancelling", asyncio.current_task().cancelling())


asyncio.run(main())
