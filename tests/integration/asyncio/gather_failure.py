# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""gather throws the first failure at once and leaves the others alone; with return_exceptions it waits for all."""
import asyncio


async def after(units, value):
    await asyncio.sleep(units * 0.03)
    if isinstance(value, Exception):
        raise value
    print("ended", value)
    return value


async def main():
    slow = asyncio.create_task(after(3, "slow"))
    try:
        await asyncio.gather(after(1, ValueError("first")), slow, after(2, ValueError("second")))
    except ValueError as error:
        print("thrown", error)
    print("slow done", slow.done())
    print(await slow)
    print([str(x) for x in await asyncio.gather(after(2, "a"), after(1, ValueError("b")), after(0, "c"),
                                                return_exceptions=True)])


asyncio.run(main())
