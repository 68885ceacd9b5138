# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""The items of as_completed are tickets: the first one awaited gets the first that ended; a limit cancels nobody."""
import asyncio


async def after(units, value):
    await asyncio.sleep(units * 0.03)
    return value


async def main():
    tickets = list(asyncio.as_completed([after(2, "slow"), after(1, "quick")]))
    print(await tickets[1], await tickets[0])
    slow = asyncio.create_task(after(4, "slow"))
    for ticket in asyncio.as_completed([asyncio.create_task(after(1, "quick")), slow], timeout=0.06):
        try:
            print(await ticket)
        except TimeoutError:
            print("timeout", slow.done(), slow.cancelling())
    print(await slow)


asyncio.run(main())
