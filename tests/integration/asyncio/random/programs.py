# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Random programs: a block is a list of statements, a statement a list of its name, its label and what it is about.

Every program ends: a task awaits only tasks that were numbered after it, and a future that nobody sets is set once
nothing else is left to do. Each point in time is a different one, but for turns: what happens at one has one cause.
"""
import random

WEIGHTS = {"log": 3, "sleep": 14, "turn": 6, "spawn": 12, "await": 10, "call": 2, "cancel": 9, "count": 3, "state": 3,
           "future": 2, "set": 4, "fail": 1, "later": 2, "raise": 2, "return": 1, "try": 8, "timeout": 4, "callback": 2}
NESTED = ("spawn", "call", "try", "timeout")
LONGEST = 99_999


class Generator:
    def __init__(self, seed, budget=30):
        self.random = random.Random(seed)
        self.budget = budget  # of statements
        self.labels = 0
        self.tasks = []
        self.futures = []
        self.awaited = set()  # futures
        self.watched = set()  # tasks

    def program(self):
        return self.block(0, 0, 8)

    def block(self, task, depth, most, least=1):
        statements = []
        for _ in range(self.random.randint(least, most)):
            if self.budget > 0:
                statements += self.statement(task, depth)
        return statements

    def statement(self, task, depth):
        self.budget -= 1
        self.labels += 1
        label = self.labels
        names = [name for name in WEIGHTS if depth < 4 or name not in NESTED]
        name = self.random.choices(names, [WEIGHTS[name] for name in names])[0]
        about = getattr(self, "about_" + name, lambda task, depth: [])(task, depth)
        return [] if about is None else [[name, label, *about]]

    def some(self, these):
        return self.random.choice(these) if these else None

    def one_of(self, these):
        return [self.random.choice(these)] if these else None

    def about_sleep(self, task, depth):
        return [self.random.randint(1, LONGEST)]

    def about_spawn(self, task, depth):
        self.tasks.append(len(self.tasks) + 1)
        child = self.tasks[-1]
        return [child, self.block(child, depth + 1, 4)]

    def about_await(self, task, depth):
        # One await of each future: where several tasks await one, and it is cancelled through one of them, weft wakes
        # that one last.
        choices = [("task", child) for child in self.tasks if child > task]
        choices += [("future", future) for future in self.futures if future not in self.awaited]
        choice = self.some(choices)
        if choice is None:
            return None
        if choice[0] == "future":
            self.awaited.add(choice[1])
        return list(choice)

    def about_call(self, task, depth):
        return [self.block(task, depth + 1, 4)]

    def about_cancel(self, task, depth):
        return self.one_of(self.tasks)

    about_count = about_state = about_cancel

    def about_future(self, task, depth):
        self.futures.append(len(self.futures) + 1)
        return [self.futures[-1]]

    def about_set(self, task, depth):
        return self.one_of(self.futures)

    about_fail = about_set

    def about_later(self, task, depth):
        return [self.random.randint(1, LONGEST), *(self.one_of(self.tasks) or [0])]

    def about_return(self, task, depth):
        return [self.random.randint(1, 9)]

    def about_try(self, task, depth):
        def part(least):
            return self.block(task, depth + 1, 3, least)

        def end():
            return self.random.choice(["pass", "swallow", "again"])

        return [part(1), end(), part(0), end(), part(0), self.random.choice([[], part(1)])]

    def about_timeout(self, task, depth):
        return [self.random.randint(1, LONGEST), self.block(task, depth + 1, 4)]

    def about_callback(self, task, depth):
        # One for each task: weft calls several one after the other, asyncio each in a turn of its own.
        choice = self.one_of([task for task in self.tasks if task not in self.watched])
        self.watched.update(choice or [])
        return choice


def is_block(part):
    return isinstance(part, list) and all(isinstance(statement, list) for statement in part)


def smaller(block):
    """The programs that have one statement less, or the statements of a part in its place."""
    for i, statement in enumerate(block):
        yield block[:i] + block[i + 1:]
        for j, part in enumerate(statement):
            if is_block(part):
                if part:
                    yield block[:i] + part + block[i + 1:]
                for less in smaller(part):
                    yield block[:i] + [statement[:j] + [less] + statement[j + 1:]] + block[i + 1:]


def text(part):
    if isinstance(part, list):
        return "( " + "".join(text(p) + " " for p in part) + ")"
    return str(part)
