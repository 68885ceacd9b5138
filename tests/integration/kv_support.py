# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""What the tests of the kv server share: starting servers, and a client that speaks raw bytes."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = float(os.environ.get("KV_PATIENCE", "60"))  # seconds until a test gives up on a peer; never what a test measures


def kv_server_path():
    """The executable under test: $KV_SERVER, or the one in the build directory."""
    explicit = os.environ.get("KV_SERVER")
    if explicit:
        return explicit
    build = os.environ.get("WEFT_BUILD_DIR", "build/release")
    return str(pathlib.Path(build) / "examples" / "kv_server" / "kv_server")


def sanitizer():
    """What the server under test was instrumented with: "thread", "address" or None."""
    code = pathlib.Path(kv_server_path()).read_bytes()
    for name, mark in (("thread", b"__tsan_init"), ("address", b"__asan_init")):
        if mark in code:
            return name
    return None


class KvServer:
    """A kv server on a port that the system picks. A context manager: leaving it kills the server."""

    def __init__(self, *options, path=None):
        command = [path or kv_server_path(), "--port", "0", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready on "):
            self.__exit__()
            raise RuntimeError(f"{command[0]} said {line!r} instead of 'ready on ...'")
        self.port = int(line.rsplit(":", 1)[1])
        self.pid = self.process.pid

    def terminate(self):
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class RedisServer:
    """The installed redis-server without persistence, or None from start() where there is none."""

    def __init__(self, path):
        self.directory = tempfile.TemporaryDirectory()
        for _ in range(20):  # another process may take the free port before redis-server does
            self.port = free_port()
            self.process = subprocess.Popen(
                [path, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", self.directory.name],
                stdout=subprocess.DEVNULL)
            if self._is_up():
                self.pid = self.process.pid
                return
        raise RuntimeError("redis-server does not start")

    @classmethod
    def start(cls):
        path = shutil.which("redis-server")
        return cls(path) if path else None

    def _is_up(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with Client(self.port) as client:
                    if client.ask(b"PING\r\n", 1)[0] == b"+PONG\r\n":
                        return True
            except OSError:
                time.sleep(0.01)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Closed(Exception):
    """The server closed the connection before a whole reply had come."""


class Client:
    """One connection. Replies are returned as the very bytes that came."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, data, count):
        """Sends `data`, returns the next `count` replies."""
        self.send(data)
        return [self.reply() for _ in range(count)]

    def call(self, *arguments):
        return self.ask(request(*arguments), 1)[0]

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise Closed()
        self.pending += data

    def _take(self, count):
        while len(self.pending) < count:
            self._fill()
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def _line(self):
        while b"\r\n" not in self.pending:
            self._fill()
        return self._take(self.pending.index(b"\r\n") + 2)

    def reply(self):
        line = self._line()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return line + self._take(int(line[1:]) + 2)
        if line[:1] == b"*" and line != b"*-1\r\n":
            return line + b"".join(self.reply() for _ in range(int(line[1:])))
        return line

    def rest(self):
        """Everything until the server closes."""
        try:
            while True:
                self._fill()
        except (Closed, ConnectionError):
            return self.pending

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def request(*arguments):
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
