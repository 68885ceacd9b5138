# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Two requests before the task runs again are delivered as one, and counted as two."""
import asyncio


async def counts():
    seen = 0
    for _ in range(3):
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            seen += 1
    return seen


async def main():
    task = asyncio.create_task(counts())
    await asyncio.sleep(0)
    print(task.cancel(), task.cancel(), task.cancelling())
    print("delivered", await task)
    print("cancelled", task.cancelled(), "cancelling", task.cancelling())
    print("uncancel", task.uncancel(), task.uncancel(), task.uncancel())


asyncio.run(main())
