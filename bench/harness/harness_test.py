# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Tests of the harness, with shell scripts for contenders. Run from the repository's root:
python3 -m unittest discover -s bench -p '*_test.py'
"""

import contextlib
import io
import json
import math
import tempfile
import unittest
import xml.dom.minidom
from pathlib import Path

from harness import command, plan, plot, running, summary, table

TITLES = {"weft": "weft", "tokio": "Tokio", "go": "Go"}


def workload_of(budgets=(plan.Budget(0.5, "tokio"),)):
    return plan.Workload("spin", "about", {}, budgets, "")


def case_of(run, lighter=None, **options):
    return plan.Case(workload_of(**options), "", run, lighter or {})


def samples_of(**values):
    taken = {}
    for contender, numbers in values.items():
        taken[contender] = running.Samples()
        taken[contender].units[""] = "ns/op"
        taken[contender].values[""] = numbers
    return taken


class FakePrograms:
    """Contenders that are shell scripts in a temporary folder."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, name, body):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def path(self, workload, contender):
        return self.folder / contender

    def load_path(self, workload):
        return self.folder / workload.load


class SummaryTest(unittest.TestCase):
    RUN = plan.Run(size=10, repeat=1, rounds=1, answer=7)

    def test_the_spread_ignores_one_outlier(self):
        self.assertEqual(summary.median_absolute_deviation([10, 11, 12, 13, 900]), 1)

    def test_the_ratio_is_to_the_best_median(self):
        samples = samples_of(weft=[30.0, 20.0, 10.0], tokio=[40.0], go=[60.0])
        measured = summary.summarise(case_of(self.RUN), 1, samples)
        self.assertEqual([m.ratio for m in measured], [1.0, 2.0, 3.0])
        self.assertEqual(measured[0].as_json()["runs"], [30.0, 20.0, 10.0])

    def test_memory_is_compared_between_equal_sizes_only(self):
        samples = samples_of(weft=[30.0], tokio=[40.0], go=[60.0])
        for contender, mib in (("weft", 6), ("tokio", 4), ("go", 1)):
            samples[contender].add_peak(mib << 10)
        case = case_of(self.RUN, {"go": plan.Run(5, 1, 1, 7)})
        weft, tokio, go = summary.summarise(case, 1, samples)[3:]
        self.assertEqual((weft.median, weft.ratio, tokio.ratio), (6, 1.5, 1))
        self.assertIsNone(go.as_json()["ratio_to_best"])
        self.assertNotIn("nan", table.format_block("peak", [weft, tokio, go], [1], TITLES))

    def test_a_failed_contender_has_no_figure(self):
        samples = samples_of(weft=[30.0], tokio=[40.0])
        samples["weft"].failure = "wrong answer"
        measured = summary.summarise(case_of(self.RUN), 1, samples)
        self.assertEqual([m.contender for m in measured], ["tokio"])

    def test_a_budget_is_reached_missed_or_not_measured(self):
        case = case_of(self.RUN)
        for weft, reached in ((20.0, True), (20.1, False)):
            measured = summary.summarise(case, 1, samples_of(weft=[weft], tokio=[40.0]))
            self.assertIs(summary.judge_case(case, 1, measured)[0].reached, reached)
        measured = summary.summarise(case, 1, samples_of(tokio=[40.0]))
        self.assertIsNone(summary.judge_case(case, 1, measured)[0].reached)

    def test_a_group_is_judged_by_the_geometric_mean(self):
        group = plan.Group("both", ("spin", "turn"), (plan.Budget(1.0, "tokio"),))
        measured = []
        for name, weft in (("spin", 10.0), ("turn", 160.0)):
            workload = plan.Workload(name, "", {}, (), "")
            case = plan.Case(workload, "", self.RUN)
            samples = samples_of(weft=[weft], tokio=[40.0])
            for taken in samples.values():
                taken.add_peak(1 << 20)  # is no part of the mean
            measured += summary.summarise(case, 2, samples)
        self.assertTrue(math.isclose(summary.judge_group(group, 2, measured)[0].figure, 1.0))
        self.assertIsNone(summary.judge_group(group, 1, measured)[0].figure)


class RunningTest(unittest.TestCase):
    LINE = '{"value": 5.0, "unit": "ns/op", "answer": 7}'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.programs = FakePrograms(Path(folder.name))

    def measure(self, run, **scripts):
        for name, body in scripts.items():
            self.programs.add(name, body)
        return running.measure(case_of(run), list(scripts), 1, self.programs)

    def test_the_first_of_several_repetitions_warms_up(self):
        lines = "\n".join(
            json.dumps({"value": value, "unit": "ms", "answer": 7}) for value in (9.0, 1.0, 2.0)
        )
        run = plan.Run(size=1, repeat=3, rounds=2, answer=7)
        samples = self.measure(run, weft=f"cat <<'.'\n{lines}\n.")
        self.assertEqual(samples["weft"].values[""], [1.0, 2.0, 1.0, 2.0])

    def test_a_wrong_answer_is_a_failure(self):
        run = plan.Run(size=1, repeat=1, rounds=1, answer=8)
        samples = self.measure(run, weft=f"echo '{self.LINE}'")
        self.assertIn("wrong answer 7", samples["weft"].failure)

    def test_the_peak_is_the_one_of_the_last_line(self):
        lines = "\n".join(
            json.dumps({"value": 1, "unit": "ms", "answer": 7, "peak_kib": kib})
            for kib in (1024, 2048, 3072)
        )
        run = plan.Run(size=1, repeat=3, rounds=2, answer=7)
        samples = self.measure(run, weft=f"cat <<'.'\n{lines}\n.", tokio=f"echo '{self.LINE}'")
        self.assertEqual(samples["weft"].values[running.PEAK_MEMORY], [3.0, 3.0])
        self.assertEqual(samples["weft"].units[running.PEAK_MEMORY], "MiB")
        self.assertNotIn(running.PEAK_MEMORY, samples["tokio"].values)

    def test_a_crash_is_a_failure_of_that_contender_only(self):
        run = plan.Run(size=1, repeat=1, rounds=1, answer=7)
        samples = self.measure(run, weft="echo broken >&2; exit 3", tokio=f"echo '{self.LINE}'")
        self.assertIn("status 3: broken", samples["weft"].failure)
        self.assertEqual(samples["tokio"].failure, "")

    def test_noise_among_the_lines_is_a_failure(self):
        run = plan.Run(size=1, repeat=1, rounds=1, answer=7)
        for body in ("echo hello", "echo 1", "true", f"echo '{self.LINE}'; echo '{{}}'"):
            self.assertNotEqual(self.measure(run, weft=body)["weft"].failure, "", body)

    def test_contenders_take_turns(self):
        run = plan.Run(size=1, repeat=1, rounds=3, answer=7)
        journal = self.programs.folder / "journal"
        body = f"basename $0 >> {journal}; echo '{self.LINE}'"
        self.measure(run, weft=body, tokio=body, go=body)
        order = journal.read_text(encoding="utf-8").split()
        self.assertEqual(order, "weft tokio go tokio go weft go weft tokio".split())

    def test_a_server_is_measured_by_its_load_generator_and_stopped(self):
        self.programs.add("load", f"echo '{self.LINE}'")
        self.programs.add("weft", "echo '{\"port\": 1}'; exec sleep 100")
        workload = plan.Workload("echo", "", {}, (), "load")
        run = plan.Run(size=1, repeat=1, rounds=1, answer=7, milliseconds=1)
        case = plan.Case(workload, "", run)
        samples = running.measure(case, ["weft"], 1, self.programs)
        self.assertEqual(samples["weft"].failure, "")
        self.assertEqual(samples["weft"].values[""], [5.0])
        self.assertGreater(samples["weft"].values[running.PEAK_MEMORY][0], 0)

    def test_a_server_without_a_port_is_a_failure(self):
        self.programs.add("load", "true")
        self.programs.add("weft", "true")
        workload = plan.Workload("echo", "", {}, (), "load")
        case = plan.Case(workload, "", plan.Run(1, 1, 1, 7, 1))
        samples = running.measure(case, ["weft"], 1, self.programs)
        self.assertIn("no port", samples["weft"].failure)


class PlanTest(unittest.TestCase):
    def test_every_workload_has_sources_and_both_lengths(self):
        contenders = plan.load_contenders()
        for length in ("quick", "full"):
            workloads = plan.load_workloads(contenders, length)
            self.assertGreater(len(workloads), 10)
            for workload in workloads:
                self.assertTrue(workload.sources, workload.name)
                for budget in workload.budgets:
                    if budget.against:
                        self.assertIn(budget.against, workload.sources, workload.name)

    def test_groups_name_workloads(self):
        names = {w.name for w in plan.load_workloads(plan.load_contenders(), "quick")}
        for group in plan.load_groups():
            self.assertLessEqual(set(group.workloads), names)

    def test_a_group_selects_its_workloads(self):
        workloads = plan.load_workloads(plan.load_contenders(), "quick")
        chosen = plan.select(workloads, plan.load_groups(), ["fork_join", "yield"])
        names = [workload.name for workload in chosen]
        self.assertEqual(names, ["fib", "matmul", "nqueens", "skynet", "yield"])
        with self.assertRaises(SystemExit):
            plan.select(workloads, [], ["no such workload"])

    def test_a_lighter_contender_runs_another_size(self):
        workloads = plan.load_workloads(plan.load_contenders(), "full")
        case = next(w for w in workloads if w.name == "fib").cases[0]
        self.assertEqual((case.run_of("weft").size, case.run_of("go").size), (39, 30))


    def test_rounds_may_be_given_for_all_workloads(self):
        workloads = plan.load_workloads(plan.load_contenders(), "full")
        plan.set_rounds(workloads, 9)
        rounds = {case.run.rounds for workload in workloads for case in workload.cases}
        self.assertEqual(rounds, {9})
        case = next(w for w in workloads if w.name == "fib").cases[0]
        self.assertEqual((case.run.size, case.run_of("go").size), (39, 30))


class OutputTest(unittest.TestCase):
    def setUp(self):
        run = plan.Run(size=10, repeat=1, rounds=1, answer=7)
        case = case_of(run, {"go": plan.Run(5, 1, 1, 7)})
        samples = samples_of(weft=[10.0], tokio=[40.0], go=[1000.0])
        self.measured = summary.summarise(case, 1, samples)
        self.verdicts = summary.judge_case(case, 1, self.measured)

    def test_the_table_shows_median_ratio_and_another_size(self):
        text = table.format_block("spin", self.measured, [1, 2], TITLES)
        self.assertIn("4.00x", text)
        self.assertRegex(text, r"Go .* 1000 .*100\.00x .* size 5")

    def test_a_missed_budget_is_shown(self):
        missed = summary.Verdict("spin", "tokio", 1, 0.51, 0.5)
        open_one = summary.Verdict("turn", "tokio", 1, None, 0.5)
        text = table.format_verdicts([*self.verdicts, missed, open_one], TITLES)
        self.assertIn("0.250 (at most 0.5) reached", text)
        self.assertIn("0.510 (at most 0.5) NOT reached", text)
        self.assertIn("turn: weft / Tokio", text)

    def test_the_picture_is_well_formed(self):
        picture = plot.render(self.measured, TITLES, "a <machine>")
        root = xml.dom.minidom.parseString(picture).documentElement
        self.assertEqual(root.tagName, "svg")
        # Three dots, and three in the legend.
        self.assertEqual(len(root.getElementsByTagName("circle")), 6)

    def test_a_contender_with_one_worker_has_no_run_with_two(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            words = ["--quick", "--no-build", "--contenders", "uvloop", "--workers", "2", "yield"]
            self.assertEqual(command.main(words), 0)
        self.assertNotIn("(ns/op)", output.getvalue())

    def test_list_names_the_workloads(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(command.main(["--list"]), 0)
        self.assertIn("tcp_echo", output.getvalue())


if __name__ == "__main__":
    unittest.main()
