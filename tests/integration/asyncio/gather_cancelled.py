# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A cancelled gather cancels its children and ends cancelled whatever they make of it; a child cancelled alone stops nobody."""
import asyncio


async def declines(value):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        return value


async def sleeps(value):
    await asyncio.sleep(0.05)
    return value


async def gathers(*children):
    return await asyncio.gather(*children)


async def main():
    children = [asyncio.create_task(declines(i)) for i in range(2)]
    parent = asyncio.create_task(gathers(*children))
    await asyncio.sleep(0.01)
    parent.cancel()
    await asyncio.wait([parent])
    print("parent", parent.cancelled(), "children", [c.result() for c in children])

    children = [asyncio.create_task(sleeps(i)) for i in range(3)]
    parent = asyncio.create_task(gathers(*children))
    await asyncio.sleep(0.01)
    children[1].cancel()
    await asyncio.wait([parent])
    print("parent", parent.cancelled(), "others", children[0].done(), children[2].done())
    print(await children[0], await children[2], children[1].cancelled())

    children = [asyncio.create_task(sleeps(i)) for i in range(2)]
    await asyncio.sleep(0.01)
    children[0].cancel()
    results = await asyncio.gather(*children, return_exceptions=True)
    print("settled", isinstance(results[0], asyncio.CancelledError), results[1])


asyncio.run(main())
