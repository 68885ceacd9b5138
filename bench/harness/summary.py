# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Medians, ratios and budgets: from samples to what is printed and stored."""

import math
import statistics
from dataclasses import dataclass

from .running import PEAK_MEMORY


@dataclass(frozen=True)
class Measurement:
    """One contender's figures for one metric of one case on one number of workers."""

    workload: str
    case: str
    metric: str
    contender: str
    workers: int
    size: int
    unit: str
    median: float
    mad: float  # median absolute deviation: the spread that one outlier does not move
    minimum: float
    runs: tuple
    ratio: float  # median over the best median among the contenders

    @property
    def label(self):
        name = f"{self.workload}/{self.case}" if self.case else self.workload
        return f"{name} {self.metric}".strip()

    def as_json(self):
        return {
            "workload": self.workload,
            "case": self.case,
            "metric": self.metric,
            "contender": self.contender,
            "workers": self.workers,
            "size": self.size,
            "unit": self.unit,
            "median": self.median,
            "mad": self.mad,
            "min": self.minimum,
            "n": len(self.runs),
            "runs": list(self.runs),
            "ratio_to_best": None if math.isnan(self.ratio) else self.ratio,
        }


@dataclass(frozen=True)
class Verdict:
    """A budget beside the figure that it is about; `reached` is None where one was not measured."""

    subject: str
    against: str  # empty for an absolute budget
    workers: int
    figure: float | None
    at_most: float

    @property
    def reached(self):
        return None if self.figure is None else self.figure <= self.at_most

    def as_json(self):
        return {
            "subject": self.subject,
            "against": self.against,
            "workers": self.workers,
            "figure": self.figure,
            "at_most": self.at_most,
            "reached": self.reached,
        }


def median_absolute_deviation(values):
    middle = statistics.median(values)
    return statistics.median([abs(value - middle) for value in values])


def summarise(case, workers, samples):
    """The measurements of one case, grouped by metric in the order of the contenders."""
    metrics = list(dict.fromkeys(m for taken in samples.values() for m in taken.values))
    measurements = []
    for metric in metrics:
        medians = {
            contender: statistics.median(taken.values[metric])
            for contender, taken in samples.items()
            if taken.values.get(metric) and not taken.failure
        }
        comparable = medians
        if metric == PEAK_MEMORY:  # no figure per operation
            comparable = {c: m for c, m in medians.items() if case.run_of(c).size == case.run.size}
        best = min(comparable.values(), default=0)
        for contender, median in medians.items():
            values = samples[contender].values[metric]
            measurements.append(
                Measurement(
                    case.workload.name,
                    case.name,
                    metric,
                    contender,
                    workers,
                    case.run_of(contender).size,
                    samples[contender].units[metric],
                    median,
                    median_absolute_deviation(values),
                    min(values),
                    tuple(values),
                    median / best if best > 0 and contender in comparable else math.nan,
                )
            )
    return measurements


def _ratio(medians, subject, against):
    if subject not in medians or medians.get(against, 0) <= 0:
        return None
    return medians[subject] / medians[against]


def judge_case(case, workers, measurements):
    """Every budget of the case's workload, for weft."""
    verdicts = []
    for budget in case.workload.budgets:
        medians = {m.contender: m.median for m in measurements if m.metric == budget.metric}
        figure = _ratio(medians, "weft", budget.against) if budget.against else medians.get("weft")
        subject = f"{case.label} {budget.metric}".strip()
        verdicts.append(Verdict(subject, budget.against, workers, figure, budget.at_most))
    return verdicts


def judge_group(group, workers, measurements):
    """The budgets on the geometric mean of a group's ratios; all its workloads must be there."""
    verdicts = []
    for budget in group.budgets:
        ratios = []
        for workload in group.workloads:
            medians = {
                m.contender: m.median
                for m in measurements
                if (m.workload, m.metric, m.workers) == (workload, budget.metric, workers)
            }
            ratios.append(_ratio(medians, "weft", budget.against))
        figure = None if None in ratios else statistics.geometric_mean(ratios)
        subject = f"{group.name}, geometric mean"
        verdicts.append(Verdict(subject, budget.against, workers, figure, budget.at_most))
    return verdicts
