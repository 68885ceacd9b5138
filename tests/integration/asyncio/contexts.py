# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""A context keeps what tasks, calls and callbacks set in it, one after the other; nobody else sees that."""
import asyncio
import contextvars

user = contextvars.ContextVar("user", default="nobody")


async def log_in(name):
    print("found", user.get())
    await asyncio.sleep(0)
    user.set(name)


def greet(who):
    print(who, "sees", user.get())
    user.set(user.get() + "+" + who)


async def reads(gate):
    await gate
    print("child", user.get())


async def main():
    user.set("main")
    context = contextvars.copy_context()
    user.set("later")
    await asyncio.create_task(log_in("ada"), context=context)
    print("after the task", user.get(), context.get(user))

    token = context.run(user.set, "bob")
    context.run(greet, "call")
    other = context.copy()
    try:
        user.reset(token)
    except ValueError:
        print("reset elsewhere is refused")
    context.run(user.reset, token)
    print("after the reset", context.get(user), other.get(user))

    gate = asyncio.get_running_loop().create_future()
    task = context.run(asyncio.create_task, reads(gate))
    loop = asyncio.get_running_loop()
    loop.call_soon(greet, "callback", context=context)
    task.add_done_callback(lambda _: greet("done-callback"), context=context)
    await asyncio.sleep(0)
    gate.set_result(None)
    await task
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print("in the end", user.get(), context.get(user), other.get(user))
    try:
        context.run(context.run, greet, "nested")
    except RuntimeError:
        print("entered once")
    print("empty", contextvars.Context().get(user))


asyncio.run(main())
