# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Runs a program of programs.py on asyncio, in virtual time, and returns what happened."""
import asyncio


class Failure(Exception):
    pass


class VirtualTime(asyncio.BaseEventLoop):
    """A loop in which time passes only while nothing is ready; `at_rest` is asked when nothing is left to wait for."""

    def __init__(self, at_rest):
        super().__init__()
        self.now = 0
        self.at_rest = at_rest
        self._selector = self
        self._clock_resolution = 1

    def time(self):
        return self.now

    def select(self, timeout):
        if timeout is None:
            if not self.at_rest():
                self.stop()
        else:
            self.now += timeout
        return ()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


def shown(error):
    names = {asyncio.CancelledError: "cancelled", TimeoutError: "timeout"}
    return names.get(type(error)) or str(error)


def state(task):
    if not task.done():
        return "pending"
    if task.cancelled():
        return "cancelled"
    return shown(task.exception()) if task.exception() else "value"


class Interpreter:
    def __init__(self, program):
        self.program = program
        self.log = []
        self.tasks = {}
        self.futures = {}
        self.is_comparable = True
        self.loop = VirtualTime(self.set_futures)

    def run(self):
        self.loop.set_exception_handler(lambda loop, context: None)
        self.tasks[0] = self.loop.create_task(self.body(0, self.program))
        self.loop.run_forever()
        for number, task in sorted(self.tasks.items()):
            self.log.append(f"{number} {state(task)}")
        self.loop.close()
        return self.log

    def set_futures(self):
        unset = [future for future in self.futures.values() if not future.done()]
        for future in unset:
            future.set_result(0)
        return bool(unset)

    def note(self, task, label, what):
        self.log.append(f"{self.loop.now} {task} {label} {what}")

    async def body(self, task, block):
        self.note(task, "-", "begins")
        try:
            value = await self.block(task, block) or 0
        except BaseException as error:
            self.note(task, "-", shown(error))
            raise
        self.note(task, "-", f"ends {value}")
        return value

    async def block(self, task, block):
        for name, label, *about in block:
            value = await getattr(self, "run_" + name)(task, label, *about)
            if value is not None:
                return value

    async def run_log(self, task, label):
        self.note(task, label, "log")

    async def run_sleep(self, task, label, duration):
        await asyncio.sleep(duration)
        self.note(task, label, "woke")

    async def run_turn(self, task, label):
        await self.run_sleep(task, label, 0)

    async def run_spawn(self, task, label, child, block):
        self.tasks[child] = asyncio.create_task(self.body(child, block))

    async def run_await(self, task, label, kind, number):
        awaited = (self.tasks if kind == "task" else self.futures).get(number)
        if awaited:
            self.note(task, label, await awaited)

    async def run_call(self, task, label, block):
        self.note(task, label, await self.body(task, block))

    def cancel(self, task, label, number):
        if number in self.tasks:
            self.note(task, label, int(self.tasks[number].cancel()))

    async def run_cancel(self, task, label, number):
        self.cancel(task, label, number)

    async def run_later(self, task, label, delay, number):
        self.loop.call_later(delay, self.cancel, task, label, number)

    async def run_count(self, task, label, number):
        if number in self.tasks:
            self.note(task, label, self.tasks[number].cancelling())

    async def run_state(self, task, label, number):
        if number in self.tasks:
            self.note(task, label, state(self.tasks[number]))

    async def run_callback(self, task, label, number):
        if number in self.tasks:
            self.tasks[number].add_done_callback(lambda done: self.note(task, label, state(done)))

    async def run_future(self, task, label, number):
        self.futures[number] = self.loop.create_future()

    async def run_set(self, task, label, number):
        if number in self.futures and not self.futures[number].done():
            self.futures[number].set_result(label)

    async def run_fail(self, task, label, number):
        if number in self.futures and not self.futures[number].done():
            self.futures[number].set_exception(Failure(f"failure {label}"))

    async def run_raise(self, task, label):
        raise Failure(f"failure {label}")

    async def run_return(self, task, label, value):
        return value

    async def run_timeout(self, task, label, limit, block):
        scope = asyncio.timeout(limit)
        self.look_for_requests()
        try:
            async with scope:
                try:
                    return await self.block(task, block)
                finally:
                    self.look_for_requests()
        finally:
            self.note(task, label, int(scope.expired()))

    def look_for_requests(self):
        # A request that was made and not delivered when the scope begins or ends is in asyncio's count, and not in weft's.
        self.is_comparable &= not asyncio.current_task()._must_cancel

    async def run_try(self, task, label, block, if_cancelled, on_cancelled, if_failed, on_failed, at_end):
        async def handle(error, what_then, handler):
            self.note(task, label, "caught " + shown(error))
            value = await self.block(task, handler)
            if value is None and what_then == "again":
                raise error
            return value

        try:
            try:
                return await self.block(task, block)
            except asyncio.CancelledError as error:
                if if_cancelled == "pass":
                    raise
                return await handle(error, if_cancelled, on_cancelled)
            except Exception as error:
                if if_failed == "pass":
                    raise
                return await handle(error, if_failed, on_failed)
        finally:
            value = await self.block(task, at_end)
            if value is not None:
                return value
