#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""The kv server as its clients see it: redis-cli, expiry by timer, idle clients, bad clients."""

import shutil
import subprocess
import sys
import time
import unittest

from kv_support import PATIENCE, Client, KvServer, request

SESSION = """\
SET greeting "hello world"
GET greeting
INCR visits
INCRBY visits 41
MSET a 1 b 2
MGET a b none
RPUSH l x y z
LRANGE l 0 -1
HSET h f v
HGET h f
EXPIRE a 100
TTL a
GET l
NOPE
"""

ANSWERS = """\
OK
hello world
1
42
OK
1
2

3
x
y
z
1
v
1
100
WRONGTYPE Operation against a key holding the wrong kind of value

ERR unknown command 'NOPE', with args beginning with: 

"""


def keys(client):
    return int(client.call("DBSIZE")[1:])


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


class KvServerTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("redis-cli"), "redis-cli is not installed")
    def test_redis_cli_holds_a_session(self):
        with KvServer() as server:
            done = subprocess.run(["redis-cli", "-p", str(server.port)], input=SESSION, text=True,
                                  capture_output=True, timeout=PATIENCE, check=True)
            self.assertEqual(done.stdout, ANSWERS)

    def test_expired_keys_go_without_being_touched(self):
        with KvServer() as server, Client(server.port) as client:
            for i in range(1000):
                client.call("SET", f"short{i}", "v", "PX", 30)
            client.call("SET", "long", "v", "EX", 1000)
            client.call("SET", "forever", "v")
            wait_until(lambda: keys(client) == 2)
            # The sweeper sleeps for the far deadline now; a nearer one must not wait for it.
            client.call("SET", "short", "v", "PX", 30)
            wait_until(lambda: keys(client) == 2)

    def test_silent_clients_are_disconnected_and_busy_ones_are_not(self):
        with KvServer("--idle-timeout", 1) as server:
            with Client(server.port) as silent, Client(server.port) as busy:
                silent.call("PING")
                begin = time.monotonic()
                silent.socket.settimeout(0.05)
                closed = False
                while not closed and time.monotonic() - begin < PATIENCE:
                    self.assertEqual(busy.call("PING"), b"+PONG\r\n")
                    try:
                        closed = silent.socket.recv(1) == b""
                    except TimeoutError:
                        pass
                self.assertTrue(closed)
                self.assertGreaterEqual(time.monotonic() - begin, 0.9)
                self.assertEqual(busy.call("PING"), b"+PONG\r\n")

    def test_a_client_that_is_busy_reading_a_long_answer_is_not_idle(self):
        length, count = 8_000_000, 3
        with KvServer("--idle-timeout", 2) as server, Client(server.port) as client:
            client.call("SET", "big", "v" * length)
            missing = count * len(b"$%d\r\n%s\r\n" % (length, b"v" * length))
            begin = time.monotonic()
            client.send(request("GET", "big") * count)
            while missing > 0:
                piece = client.socket.recv(100_000)
                self.assertNotEqual(piece, b"")
                missing -= len(piece)
                time.sleep(0.02)  # what is tested: the answer takes longer than the timeout
            self.assertEqual(missing, 0)
            self.assertGreaterEqual(time.monotonic() - begin, 2)

    def test_a_client_that_breaks_the_protocol_learns_why_even_if_it_keeps_sending(self):
        with KvServer() as server:
            for _ in range(50):
                with Client(server.port) as client:
                    client.send(b"*1\r\nx\r\n" + b"PING\r\n" * 10_000)
                    self.assertEqual(client.rest(),
                                     b"-ERR Protocol error: expected '$', got 'x'\r\n")

    def test_the_limit_of_a_value_is_the_one_that_was_set(self):
        with KvServer("--max-bulk", 100) as server:
            with Client(server.port) as client:
                self.assertEqual(client.call("SET", "k", "v" * 100), b"+OK\r\n")
                self.assertEqual(client.call("APPEND", "k", "v")[:30],
                                 b"-ERR string exceeds maximum al")
                client.send(request("SET", "k", "v" * 101))
                self.assertEqual(client.rest(), b"-ERR Protocol error: invalid bulk length\r\n")

    def test_a_client_that_vanishes_half_way_disturbs_nobody(self):
        with KvServer() as server, Client(server.port) as witness:
            for cut in range(1, 30):
                with Client(server.port) as client:
                    client.send(request("SET", "k", "some value")[:cut])
            for _ in range(20):
                with Client(server.port) as client:  # leaves without taking its answers
                    client.send(request("SET", "big", "v" * 100_000))
                    client.send(request("GET", "big") * 100)
            self.assertEqual(witness.call("PING"), b"+PONG\r\n")
            wait_until(lambda: b"connected_clients:1\r\n" in witness.call("INFO", "clients"))

    def test_a_port_in_use_is_an_error_and_not_a_silence(self):
        with KvServer() as server:
            with self.assertRaises(RuntimeError):
                KvServer("--port", server.port)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
