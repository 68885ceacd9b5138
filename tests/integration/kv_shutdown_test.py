#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""SIGTERM under load: what was answered is in the data, and what is in the data was answered.

Every client counts on a key of its own with INCR, so the last answer that it received says how many
requests it knows to be done; the file of --dump-on-exit says how many were done. The two numbers
must be the same for every client, however its requests were cut off.
"""

import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
import unittest

from kv_support import PATIENCE, Client, Closed, KvServer, request, sanitizer


class Counter(threading.Thread):
    """Keeps `depth` requests in flight until the server closes, then knows the last answer."""

    def __init__(self, port, name, depth):
        super().__init__()
        self.client = Client(port)
        self.key = f"counter:{name}"
        self.depth = depth
        self.answered = 0
        self.unexpected = None

    def run(self):
        one = request("INCR", self.key)
        try:
            self.client.send(one * self.depth)
            while True:
                answer = self.client.reply()
                if answer != b":%d\r\n" % (self.answered + 1):
                    self.unexpected = answer
                    return
                self.answered += 1
                if self.answered % self.depth == 0:
                    self.client.send(one * self.depth)
        except (Closed, ConnectionError):
            self._take_what_was_sent()
        finally:
            self.client.socket.close()

    def _take_what_was_sent(self):
        """A send may fail while answers still wait to be read."""
        rest = self.client.rest()
        self.answered += rest.count(b"\r\n")


class Flood(threading.Thread):
    """Sends requests until that fails, whatever the server says, while another thread reads."""

    def __init__(self, port, key):
        super().__init__()
        self.client = Client(port)
        self.requests = request("INCR", key) * 200

    def run(self):
        try:
            while True:
                self.client.send(self.requests)
        except OSError:
            pass  # how it ends

    def read_slowly(self, enough, then):
        """Reads to the end, calls `then` after `enough` bytes, returns the last answer."""
        taken = 0
        tail = b""
        try:
            while piece := self.client.socket.recv(1 << 16):
                if taken < enough <= taken + len(piece):
                    then()
                taken += len(piece)
                tail = (tail + piece)[-64:]
                time.sleep(0.002)  # so that answers and requests pile up in the kernel
        except ConnectionError:
            pass
        return int(tail[:tail.rindex(b"\r\n")].rpartition(b":")[2])


def read_dump(path):
    """{key: value} of the SET requests in a dump."""
    words = path.read_bytes().split(b"\r\n")
    return {words[i + 2].decode(): words[i + 4] for i in range(len(words)) if words[i] == b"SET"}


def shut_down_under_load(depths, workers, enough):
    with tempfile.TemporaryDirectory() as directory:
        dump = pathlib.Path(directory) / "dump"
        with KvServer("--dump-on-exit", dump, "--workers", workers) as server:
            clients = [Counter(server.port, i, depth) for i, depth in enumerate(depths)]
            with Client(server.port) as half:  # must not keep the server from ending
                half.send(request("SET", "half", "value")[:-3])
                for client in clients:
                    client.start()
                while sum(client.answered for client in clients) < enough:
                    clients[0].join(0.001)
                status = server.terminate()
                for client in clients:
                    client.join()
        return status, clients, read_dump(dump) if status == 0 else {}


@unittest.skipIf(sanitizer() == "thread",
                 "ThreadSanitizer defers a signal while its thread waits in the kernel")
class KvShutdownTest(unittest.TestCase):
    def check(self, depths, workers, enough=2000):
        status, clients, data = shut_down_under_load(depths, workers, enough)
        self.assertEqual(status, 0)
        for client in clients:
            self.assertIsNone(client.unexpected)
            self.assertEqual(int(data.get(client.key, 0)), client.answered)
        self.assertNotIn("half", data)

    def test_one_request_at_a_time(self):
        for workers in (1, 2, 4):
            self.check([1] * 16, workers)

    def test_pipelines(self):
        for workers in (1, 2, 4):
            self.check([1, 16, 100, 1000] * 4, workers, 20_000)

    def test_again_and_again(self):
        for _ in range(int(os.environ.get("KV_SHUTDOWN_ROUNDS", "10"))):
            self.check([1, 7, 50] * 3, 2, 500)

    def test_a_flood_is_answered_as_far_as_it_was_executed(self):
        for workers in (1, 2, 4):
            with tempfile.TemporaryDirectory() as directory:
                dump = pathlib.Path(directory) / "dump"
                # It must not take the grace either: the client knows everything and is only rude.
                with KvServer("--dump-on-exit", dump, "--workers", workers,
                              "--grace", 3600) as server:
                    flood = Flood(server.port, "counter")
                    flood.start()
                    terminate = lambda: server.process.send_signal(signal.SIGTERM)
                    answered = flood.read_slowly(2_000_000, terminate)
                    status = server.process.wait(PATIENCE)
                    flood.join()
                    flood.client.socket.close()
                self.assertEqual(status, 0)
                self.assertEqual(int(read_dump(dump)["counter"]), answered)

    def test_a_flood_that_is_never_read_is_left_behind_after_the_grace(self):
        with KvServer("--grace", 1) as server:
            flood = Flood(server.port, "counter")
            flood.start()
            with Client(server.port) as witness:
                while int(witness.call("INCR", "counter")[1:-2]) < 1000:
                    pass
            self.assertEqual(server.terminate(), 0)
            flood.join()
            flood.client.socket.close()

    def test_a_client_that_takes_no_answers_is_left_behind_after_the_grace(self):
        with KvServer("--grace", 1) as server, Client(server.port) as greedy:
            greedy.call("SET", "big", "v" * 1_000_000)
            greedy.send(request("GET", "big") * 50)  # far more than the buffers of the kernel hold
            with Client(server.port) as witness:
                self.assertEqual(witness.call("PING"), b"+PONG\r\n")
            self.assertEqual(server.terminate(), 0)

    def test_an_idle_server_ends_at_once(self):
        with KvServer("--grace", 3600) as server, Client(server.port) as idle:
            self.assertEqual(idle.call("PING"), b"+PONG\r\n")
            self.assertEqual(server.terminate(), 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
