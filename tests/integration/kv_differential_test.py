#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

"""Sends the same bytes to redis-server and to the kv server and demands the same bytes back.

Three kinds of conversation: written ones that say what each command answers, streams that are no
valid protocol, and random commands over few keys (the seed is printed; set WEFT_TEST_SEED).
Without an installed redis-server of the version that the kv server imitates there is nothing to
compare with; the test then says so and passes.
"""

import os
import random
import shutil
import subprocess
import sys

from kv_support import Client, Closed, KvServer, RedisServer, request

IMITATED = "v=7.0."

# One conversation per paragraph, on a fresh connection and an empty server; inline requests.
CONVERSATIONS = r"""
ping
PING hello
ping a b
echo x
echo
echo "" a
"" x
nope
nope 'a b' c
select 0
select x
select 99
select

set k v
get k
get
get k k
set k
set k v nx
set k w xx get
set k w nx xx
set k w ex
set k w ex 0
set k w ex -1
set k w ex a
set k w ex 10 px 10
set k w ex 10 ex 20
ttl k
set k w ex 10 keepttl
set k w keepttl ex 10
set k 2 keepttl
ttl k
set k w ex 9223372036854775807
set k w px 9223372036854775807
set k w exat 1
get k
set k w foo
set n w xx
set n w xx get
set n w nx get
set n v nx get
get n

setex k 10 v
setex k 0 v
setex k x v
psetex k -1 v
psetex k 100000 v
ttl k
setnx k w
setnx m w
getset k z
ttl k
getdel k
getdel k
strlen m
strlen none
append m more
append none more
get none

mset a 1 b 2
mset a 1 b
mset a
mget a b c
mget
del a b c
exists a b a
exists m m m
unlink m
touch a m
dbsize
dbsize x

incr n
incr n
decr n
incrby n 10
decrby n 3
incrby n x
incrby n 9223372036854775807
decrby n -9223372036854775808
set n 9223372036854775807
incr n
set n -9223372036854775808
decr n
set n " 1"
incr n
set n 01
incr n
set n -0
incr n
set n ""
incr n
set n 1.0
incr n
set n 9223372036854775808
incr n
incr
incrby n

set k v
ttl k
pttl none
expire k 100
ttl k
expire k 50 nx
expire k 50 gt
expire k 50 lt
ttl k
expire k 70 xx gt
ttl k
expire k 70 gt lt
expire k 70 nx gt
expire k 70 zz
expire k x
expire k 9223372036854775807
expire k -9223372036854775808
pexpire k 9223372036854775807
pexpire none 10
persist k
persist k
persist none
expire k 10 gt
expire k 10 xx
expireat k 99999999999
ttl k none
pexpireat k 1
exists k
set k v
expire k -1
exists k
set k v
expireat k -5
exists k
expire k

lpush l a b c
rpush l d
lrange l 0 -1
lrange l 1 2
lrange l -2 100
lrange l 5 9
lrange l 2 1
lrange l -100 -4
lrange l a 1
lrange l 0 b
lrange none 0 -1
llen l
llen none
lindex l 0
lindex l -1
lindex l 4
lindex l -5
lindex l x
lindex none x
lpop l
rpop l
lpop l 0
lpop l 5
lpop l
lpop l 2
lpop l 0
lpop l -1
lpop l x
lpop l 1 2
rpop l 1 2
exists l
type l
lpush l
rpush

hset h a 1
hset h a 2 b 3
hset h a
hset h a 1 b
hmset h c 4
hmset h c
hget h a
hget h z
hget none a
hmget h a z c
hmget none a
hgetall h
hkeys h
hvals h
hgetall none
hlen h
hlen none
hexists h a
hexists h z
hincrby h a 5
hincrby h new 5
hset h t x
hincrby h t 5
hincrby h a x
hincrby h a 9223372036854775807
hdel h a b z
hdel none a
hdel h c new t
exists h
type h

set s x
lpush l x
hset h f x
type s
type l
type h
type none
get l
get h
set l y get
getset l y
getdel h
incr l
append h x
strlen l
lpush s x
rpush h x
lpop s
lrange s 0 -1
llen h
hset s f v
hget l f
hgetall s
hincrby s f 1
hdel l f
setnx l x
mget s l h
mset l replaced
get l
expire h 100
ttl h

client setname worker
client getname
client setname "a b"
client setname ""
client getname
client getname x
client setname
client id x
client
client nope
client nope x y
config get save
config get SAVE
config get nothing*here
config get
config
config nope
config get appendonly*
hello 4
hello x
hello 2 foo
hello 2 setname
hello 2 setname "a b"
command count x
command nope
info nothing
flushall sync
flushall async
flushall now
flushdb x y
quit
ping

flushall
PiNg
quit now
ping
"""

BAD_STREAMS = [
    b"*1\r\nx\r\n", b"*1\r\n\n\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$\r\n",
    b"*1\r\n$01\r\n", b"*1\r\n$536870913\r\n", b"*1\r\n$ 4\r\nPING\r\n", b"*1\r\n:4\r\n",
    b"*x\r\n", b"*\r\n", b"*01\r\n", b"*+1\r\n", b"* 1\r\n", b"*2147483648\r\n", b"*1 \r\n",
    b"*99999999999999999999\r\n", b"*-0\r\n", b"*1\r\nPING\r\n", b"*1\r\n\xff\r\n",
    b"a \"b\r\n", b"a 'b\r\n", b"\"a\"b\r\n", b"'a'b\r\n", b"\"\\", b"'\r\n",
    b"POST / HTTP/1.1\r\nset k v\r\n", b"post\r\n", b"Host: x\r\n",
    b"*2\r\n$4\r\nECHO\r\nPING\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n*1\r\n",
    b"PING\r\n*1\r\nx\r\nPING\r\n",
    b"x" * 200_000, b"*" + b"1" * 200_000, b"*1\r\n$" + b"1" * 200_000,
]

# Streams after which both servers still talk; they end in a PING to show it.
GOOD_STREAMS = [
    (b"\r\n\n   \r\n*0\r\n*-1\r\n*-7\r\n", 0),
    (b"PING\nPING\r\n PING \r\n", 3),
    (b"*1\r\n$4\r\nPINGxx", 1),  # the line end after an argument is not looked at
    (b"*1\rX$4\rXPING\r\n", 1),
    (b"ECHO \"\\x41\\n\\q\\\"\" \r\nECHO 'it\\'s \\n'\r\nECHO a\"b c\"\r\nECHO \\x41\r\n", 4),
    (b"\tPING\t\x0b\x0c\r\nECHO a\x0bb\r\n", 2),
    (request(b"nope\r\nx", b"a\r\nb"), 1), (request(b"no\x00pe", b"a\x00b"), 1),
    (request(b"n" * 300, b"a" * 100, b"b" * 100, b"c"), 1), (request(b"get\x00", b"k"), 1),
    (request(b"", b""), 1), (request(b"SET", b"", b"") + request(b"GET", b""), 2),
    (request(b"SET", b"k\r\n\x00\xff", b"v\r\n\x00\xff") + request(b"GET", b"k\r\n\x00\xff"), 2),
    (request(b"CONFIG", b"no\r\npe"), 1), (request(b"expire", b"k", b"1", b"o\r\np"), 1),
    (request(b"hello", b"2", b"o\r\np"), 1),
    (b"".join(request(b"APPEND", b"k", b"x" * 50) for _ in range(500)), 500),
    (request(b"SET", b"big", b"v" * 3_000_000) + request(b"GET", b"big"), 2),
]


class Pair:
    """The two servers, asked the same thing."""

    def __init__(self, redis, kv):
        self.ports = {"redis": redis.port, "kv": kv.port}
        self.differences = 0
        self.compared = 0

    def compare(self, what, answers):
        self.compared += 1
        if answers["redis"] != answers["kv"]:
            self.differences += 1
            print(f"differs: {what!r:.200}")
            for name, answer in answers.items():
                print(f"  {name:5} {answer!r:.300}")

    def flush(self):
        for port in self.ports.values():
            with Client(port) as client:
                client.call("FLUSHALL")

    def conversation(self, requests):
        """Each request alone, so that a difference names it."""
        self.flush()
        clients = {name: Client(port) for name, port in self.ports.items()}
        for data in requests:
            answers = {}
            for name, client in clients.items():
                try:
                    answers[name] = client.ask(data, 1)[0]
                except (Closed, ConnectionError):
                    answers[name] = "closed"
            self.compare(data, answers)
        for client in clients.values():
            client.socket.close()

    def stream(self, data, piece, count=None):
        """All at once, or in pieces; count: the replies before the PING that follows, None: the
        server is expected to close."""
        self.flush()
        answers = {}
        for name, port in self.ports.items():
            with Client(port) as client:
                try:
                    whole = data if count is None else data + b"PING\r\n"
                    for begin in range(0, len(whole), piece):
                        client.send(whole[begin:begin + piece])
                except ConnectionError:
                    pass  # closed while more was on its way: what it answered counts
                if count is None:
                    answers[name] = client.rest()
                else:
                    answers[name] = [client.reply() for _ in range(count + 1)]
        self.compare(data, answers)


def random_request(rng):
    keys = ["a", "b", "c"]
    words = ["1", "-1", "0", "x", "", "9223372036854775807", "100000", "EX", "NX", "XX", "GET",
             "KEEPTTL", "f", "g", "a", "b"]
    names = ["GET", "SET", "SETNX", "GETSET", "GETDEL", "STRLEN", "APPEND", "MSET", "MGET", "INCR",
             "DECR", "INCRBY", "DECRBY", "DEL", "EXISTS", "TYPE", "TTL", "EXPIRE", "PERSIST", "LPUSH",
             "RPUSH", "LPOP", "RPOP", "LLEN", "LINDEX", "LRANGE", "HSET", "HGET", "HMGET", "HDEL",
             "HLEN", "HEXISTS", "HGETALL", "HKEYS", "HVALS", "HINCRBY", "DBSIZE"]
    arguments = [rng.choice(names)]
    if rng.random() < 0.97:
        arguments.append(rng.choice(keys))
        arguments += rng.choices(words, k=rng.choice([0, 1, 1, 2, 2, 3, 4]))
    return request(*arguments)


def main():
    path = shutil.which("redis-server")
    if not path or IMITATED not in subprocess.run([path, "--version"], capture_output=True,
                                                  text=True, check=True).stdout:
        print("no redis-server 7.0 is installed: nothing to compare with")
        return 0
    seed = int(os.environ.get("WEFT_TEST_SEED", random.randrange(1 << 31)))
    print(f"seed: WEFT_TEST_SEED={seed}")
    rng = random.Random(seed)
    with RedisServer(path) as redis, KvServer() as kv:
        pair = Pair(redis, kv)
        for paragraph in CONVERSATIONS.strip().split("\n\n"):
            pair.conversation([line.encode() + b"\r\n" for line in paragraph.split("\n")])
        for data in BAD_STREAMS:
            pair.stream(data + b"\r\n", len(data) + 2)
            if len(data) < 1000:
                pair.stream(data + b"\r\n", 1)
        for data, count in GOOD_STREAMS:
            pair.stream(data, len(data), count)
            if len(data) < 1000:
                pair.stream(data, 1, count)
        for _ in range(20):
            pair.conversation([random_request(rng) for _ in range(300)])
        print(f"{pair.compared} answers compared, {pair.differences} differ")
        return 1 if pair.differences else 0


if __name__ == "__main__":
    sys.exit(main())
