// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The load generator of tcp_echo, the same for every contender: one thread, one epoll instance,
// one message in flight on every connection. Every echo is compared with what was sent.
//     load --port P --connections C --repeat R --milliseconds M --server PID
// It begins by serving every connection once. For each repetition, one window of M milliseconds,
// it then prints three lines of the contract of a contender: the time per request (metric
// "request"), the processor time that the server spent per request (metric "server_cpu"; on few
// cores the generator is a bottleneck of its own, which this one leaves out), and the 99th
// percentile of the latency (metric "latency_p99"). The answer is the number of connections that
// were ever served if every echo so far was right, else 0.
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { message_bytes = 64, batch = 256, latency_slots = 1 << 16 };

struct connection {
    int fd;
    uint32_t number;
    uint32_t received;
    uint64_t requests;
    int64_t sent_at;
    unsigned char message[message_bytes];
};

struct load {
    struct connection* connections;
    uint32_t count;
    uint32_t served;  // connections on which an echo came back
    int epoll;
    uint64_t requests;
    uint64_t wrong;
    uint64_t latency_us[latency_slots];  // one slot a microsecond, the last for all that is longer
};

static void fail(const char* what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) fail("clock_gettime");
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void send_next(struct connection* c) {
    const uint64_t stamp = c->requests * 0x9e3779b97f4a7c15U + c->number;
    for (uint32_t i = 0; i < message_bytes; i += sizeof stamp) {
        const uint64_t word = stamp + i;
        memcpy(c->message + i, &word, sizeof word);
    }
    c->received = 0;
    c->sent_at = now_ns(CLOCK_MONOTONIC);
    // One small message in flight never fills a socket buffer, so a short write is a failure.
    if (send(c->fd, c->message, message_bytes, MSG_NOSIGNAL) != message_bytes) fail("send");
}

static void finish_request(struct load* l, struct connection* c) {
    int64_t latency = (now_ns(CLOCK_MONOTONIC) - c->sent_at) / 1000;
    if (latency >= latency_slots) latency = latency_slots - 1;
    ++l->latency_us[latency];
    ++l->requests;
    l->served += c->requests++ == 0;
    send_next(c);
}

static void receive(struct load* l, struct connection* c) {
    unsigned char echo[message_bytes];
    const ssize_t n = recv(c->fd, echo, message_bytes - c->received, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("the server closed a connection");
    if (memcmp(echo, c->message + c->received, (size_t)n) != 0) ++l->wrong;
    c->received += (uint32_t)n;
    if (c->received == message_bytes) finish_request(l, c);
}

static void open_connections(struct load* l, uint16_t port) {
    const struct sockaddr_in server = {.sin_family = AF_INET,
                                       .sin_port = htons(port),
                                       .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const int on = 1;
    for (uint32_t i = 0; i < l->count; ++i) {
        struct connection* c = &l->connections[i];
        c->number = i;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0) fail("socket");
        if (connect(c->fd, (const struct sockaddr*)&server, sizeof server) != 0) fail("connect");
        if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll_ctl");
    }
}

static void serve_events(struct load* l) {
    struct epoll_event events[batch];
    const int n = epoll_wait(l->epoll, events, batch, 10);
    if (n < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < n; ++i) receive(l, events[i].data.ptr);
}

/// A server may leave connections waiting for a while when it has just been given all of them, but
/// not for ten seconds.
static void serve_each_once(struct load* l) {
    const int64_t give_up = now_ns(CLOCK_MONOTONIC) + 10000000000;
    for (uint32_t i = 0; i < l->count; ++i) send_next(&l->connections[i]);
    while (l->served < l->count && now_ns(CLOCK_MONOTONIC) < give_up) serve_events(l);
}

/// Begins with fresh counters and serves for `milliseconds`.
static void run_window(struct load* l, int64_t milliseconds) {
    memset(l->latency_us, 0, sizeof l->latency_us);
    l->requests = 0;
    const int64_t end = now_ns(CLOCK_MONOTONIC) + milliseconds * 1000000;
    while (now_ns(CLOCK_MONOTONIC) < end) serve_events(l);
}

static double latency_p99_us(const struct load* l) {
    uint64_t left = l->requests * 99 / 100;
    uint32_t slot = 0;
    while (slot + 1 < latency_slots && left >= l->latency_us[slot]) left -= l->latency_us[slot++];
    return slot;
}

static void report(const char* metric, double value, const char* unit, uint64_t answer) {
    printf("{\"value\": %.6g, \"unit\": \"%s\", \"answer\": %llu, \"metric\": \"%s\"}\n", value,
           unit, (unsigned long long)answer, metric);
}

static void measure(struct load* l, int64_t milliseconds, clockid_t server_clock) {
    const int64_t start = now_ns(CLOCK_MONOTONIC);
    const int64_t server_start = now_ns(server_clock);
    run_window(l, milliseconds);
    const double elapsed = (double)(now_ns(CLOCK_MONOTONIC) - start);
    const double server = (double)(now_ns(server_clock) - server_start);
    const double requests = l->requests > 0 ? (double)l->requests : 1;
    const uint64_t answer = l->wrong == 0 ? l->served : 0;
    report("request", elapsed / requests, "ns/op", answer);
    report("server_cpu", server / requests, "ns/op", answer);
    report("latency_p99", latency_p99_us(l), "us", answer);
    fflush(stdout);
}

static long option(int argc, char** argv, const char* name) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0) return strtol(argv[i + 1], NULL, 10);
    }
    fprintf(stderr, "load: %s is missing\n", name);
    exit(2);
}

int main(int argc, char** argv) {
    static struct load l;
    clockid_t server_clock;
    l.count = (uint32_t)option(argc, argv, "--connections");
    l.connections = calloc(l.count, sizeof *l.connections);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l.connections == NULL || l.epoll < 0) fail("start");
    errno = clock_getcpuclockid((pid_t)option(argc, argv, "--server"), &server_clock);
    if (errno != 0) fail("the server's clock");
    open_connections(&l, (uint16_t)option(argc, argv, "--port"));
    serve_each_once(&l);
    const int64_t milliseconds = option(argc, argv, "--milliseconds");
    const long repeat = option(argc, argv, "--repeat");
    for (long i = 0; i < repeat; ++i) measure(&l, milliseconds, server_clock);
    return 0;
}
