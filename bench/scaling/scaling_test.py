# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors
"""Tests of the simulator: what holds of the protocol must hold of its model, and a model of a broken
protocol must be found out. Run from the repository's root:
python3 -m unittest discover -s bench -p '*_test.py'
"""

import json
import math
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures  # noqa: E402
import simulate  # noqa: E402

SMALL = {"fib": 16, "uneven": 5, "tiny": 500, "large": 3, "burst": 2, "inject": 2, "ping": 20,
         "echo": 20, "echo_busy": 20}


class ModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = simulate.build_simulator()

    def ended(self, workload, workers, *settings, size=None, seed=1):
        command = [self.program, "--workload", workload, "--workers", str(workers), "--size",
                   str(size or SMALL[workload]), "--seed", str(seed), "--check", "1", *settings]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def numbers(self, *arguments, **options):
        ended = self.ended(*arguments, **options)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return json.loads(ended.stdout)

    def test_every_task_runs_once_and_none_is_left_lying(self):
        for workload in SMALL:
            for workers in (1, 2, 3, 16, 64):
                for seed in (1, 2):
                    with self.subTest(workload=workload, workers=workers, seed=seed):
                        numbers = self.numbers(workload, workers, seed=seed)
                        self.assertFalse(numbers["lost"])
                        if workload != "ping":
                            self.assertEqual(numbers["created"], numbers["ran"])

    def test_the_proposed_rules_lose_nothing(self):
        for workload in SMALL:
            for workers in (2, 16, 64):
                with self.subTest(workload=workload, workers=workers):
                    self.numbers(workload, workers, *simulate.PROPOSED)

    def test_the_rules_of_today_lose_nothing_with_any_idea_of_nearness(self):
        for settings in ((), *simulate.NEAR.values()):
            for workload in ("uneven", "tiny", "echo"):
                with self.subTest(workload=workload, settings=settings):
                    self.numbers(workload, 24, *simulate.BY_NOW, *settings)

    def test_the_same_arguments_give_the_same_numbers(self):
        for workload in ("uneven", "echo"):
            first, second = (self.ended(workload, 16, seed=7).stdout for _ in range(2))
            self.assertEqual(first, second)

    def test_without_the_look_before_sleeping_an_injected_task_is_lost(self):
        # A foreign thread sees the last searcher and calls nobody; the searcher does not look again.
        found = [self.ended("inject", workers, "rescan=0", "watch=0", size=200, seed=seed)
                 for workers in (2, 3, 4, 8) for seed in (1, 2)]
        stuck = [run for run in found if run.returncode != 0]
        self.assertTrue(stuck, "the checker saw no lost wake-up")
        self.assertTrue(any(json.loads(run.stdout)["stuck"] for run in stuck))

    def test_without_the_last_searcher_calling_the_next_work_lies_beside_sleepers(self):
        broken = self.ended("large", 16, "last_searcher=0", "watch=0")
        self.assertNotEqual(broken.returncode, 0)
        self.assertGreater(json.loads(broken.stdout)["stranded"], 500_000)

    def test_time_is_accounted_for(self):
        # All workers' time adds up to the length of the run, but for who slept through the end of it.
        numbers = self.numbers("uneven", 8, size=7)
        spent = sum(numbers["spent"].values())
        self.assertLess(abs(spent / (8 * numbers["time"]) - 1), 0.05)

    def test_what_costs_nothing_scales(self):
        free = [f"{name}=0" for name in ("line_near", "line_far", "line_remote", "membarrier_call",
                                         "membarrier_scan", "ipi_lines", "ipi_wait", "ipi_taken",
                                         "wake_call", "wake_latency", "sleep_call", "announce")]
        alone = self.numbers("uneven", 1, *free, size=7)["time"]
        many = self.numbers("uneven", 16, *free, size=7)["time"]
        self.assertGreater(alone / many, 14.5)

    def test_an_unknown_name_is_refused(self):
        self.assertEqual(self.ended("fib", 2, "no_such_cost=1").returncode, 2)


class DriverTest(unittest.TestCase):
    def test_dots_double_a_count(self):
        self.assertEqual(simulate.parse_counts("2,4,...,64"), [2, 4, 8, 16, 32, 64])
        self.assertEqual(simulate.parse_counts("1,2,...,6"), [1, 2, 4, 6])

    def test_the_pictures_are_documents(self):
        class Flat:
            def run(self, workload, workers, *settings):
                spent = {kind: 1.0 for kind in figures.KINDS}
                numbers = {"spent": spent, "ran": workers, "time": 1, "p50": 1}
                return simulate.Run(workload, workers, numbers)

            def speed_up(self, workload, workers, *settings):
                return math.sqrt(workers)

        with tempfile.TemporaryDirectory() as folder:
            figures.write(Flat(), Path(folder))
            pictures = list(Path(folder).glob("*.svg"))
            self.assertEqual(len(pictures), 3)
            for picture in pictures:
                xml.dom.minidom.parse(str(picture))


if __name__ == "__main__":
    unittest.main()
