# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""What there is to measure: the workloads and contenders that bench/scenario describes.

A workload is a folder with a `workload.toml`; a contender takes part in it when the folder holds a
file of its name. Nothing here builds or runs anything.
"""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

SCENARIO = Path(__file__).resolve().parent.parent / "scenario"
SUFFIXES = {".c": "c", ".cpp": "c++", ".rs": "rust", ".go": "go", ".py": "python"}


@dataclass(frozen=True)
class Contender:
    name: str
    title: str
    needs: str
    package: str = ""
    single: bool = False  # runs on one worker only


@dataclass(frozen=True)
class Budget:
    """A promise about weft: at most this ratio to `against`, or this value where that is empty."""

    at_most: float
    against: str = ""
    metric: str = ""


@dataclass(frozen=True)
class Run:
    """How one contender is run in one case, and what it has to answer."""

    size: int
    repeat: int
    rounds: int
    answer: int
    milliseconds: int = 0


@dataclass(frozen=True)
class Case:
    workload: "Workload"
    name: str
    run: Run
    lighter: dict = field(default_factory=dict)

    @property
    def label(self):
        return f"{self.workload.name}/{self.name}" if self.name else self.workload.name

    def run_of(self, contender):
        return self.lighter.get(contender, self.run)


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    sources: dict  # contender name -> its source file
    budgets: tuple
    load: str  # the load generator's name where the contenders are servers, else empty
    cases: list = field(default_factory=list, compare=False)


@dataclass(frozen=True)
class Group:
    name: str
    workloads: tuple
    budgets: tuple


def _read(path):
    with path.open("rb") as file:
        return tomllib.load(file)


def load_contenders(scenario=SCENARIO):
    facts = _read(scenario / "contenders.toml")
    return {name: Contender(name, **fact) for name, fact in facts.items()}


def load_groups(scenario=SCENARIO):
    return [
        Group(name, tuple(fact["workloads"]), tuple(Budget(**b) for b in fact["budgets"]))
        for name, fact in _read(scenario / "groups.toml").items()
    ]


def _load_case(workload, fact, length):
    lighter = fact.get("lighter", {})
    lighter_run = Run(**{**fact[length], **lighter.get(length, {})})
    return Case(
        workload,
        fact.get("name", ""),
        Run(**fact[length]),
        {contender: lighter_run for contender in lighter.get("contenders", [])},
    )


def _load_workload(folder, contenders, length):
    fact = _read(folder / "workload.toml")
    sources = {}
    for name in contenders:
        for file in sorted(folder.glob(f"{name}.*")):
            if file.suffix in SUFFIXES:
                sources[name] = file
    workload = Workload(
        folder.name,
        fact["about"],
        sources,
        tuple(Budget(**budget) for budget in fact.get("budgets", [])),
        fact.get("load", ""),
    )
    for case in fact["case"]:
        workload.cases.append(_load_case(workload, case, length))
    return workload


def load_workloads(contenders, length, scenario=SCENARIO):
    """Every workload, with the sizes of `length`: "quick" or "full"."""
    folders = sorted(path.parent for path in scenario.glob("*/workload.toml"))
    return [_load_workload(folder, contenders, length) for folder in folders]


def set_rounds(workloads, rounds):
    """Every case runs so often instead of as often as its workload says."""
    for workload in workloads:
        workload.cases[:] = [
            replace(case, run=replace(case.run, rounds=rounds)) for case in workload.cases
        ]


def select(workloads, groups, names):
    """The workloads that `names` (of workloads or of groups) pick; all of them for no names."""
    by_name = {workload.name: [workload.name] for workload in workloads}
    by_name |= {group.name: list(group.workloads) for group in groups}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        known = ", ".join(sorted(by_name))
        raise SystemExit(f"compare: no workload {', '.join(unknown)}; there are: {known}")
    wanted = {workload for name in names for workload in by_name[name]}
    return [w for w in workloads if not names or w.name in wanted]
