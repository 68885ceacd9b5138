// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// tcp_echo without a runtime: the yardstick. Every worker is a thread with a level-triggered epoll
// instance of its own; the first one also accepts and deals the connections out in turn. A
// connection has no state: what one read returns is written back at once, and a short write ends
// the program, which the load generator's one small message in flight never causes.
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_bytes = 4096, batch = 256, most_workers = 256 };

static int epolls[most_workers];
static unsigned workers = 1;
static int listener;

static void fail(const char* what) {
    fprintf(stderr, "epoll: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void accept_one(void) {
    static unsigned turn = 0;
    const int on = 1;
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(epolls[turn++ % workers], fd);
}

static void echo(int fd) {
    char buffer[buffer_bytes];
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        close(fd);
    } else if (write(fd, buffer, (size_t)n) != n && errno != EPIPE && errno != ECONNRESET) {
        fail("write");
    }
}

static _Noreturn void serve(int epoll) {
    for (;;) {
        struct epoll_event events[batch];
        const int n = epoll_wait(epoll, events, batch, -1);
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < n; ++i) {
            if (events[i].data.fd == listener) {
                accept_one();
            } else {
                echo(events[i].data.fd);
            }
        }
    }
}

static void* serve_in_thread(void* epoll) { serve(*(int*)epoll); }

static unsigned short listen_on_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) fail("socket");
    if (bind(listener, (struct sockaddr*)&address, length) != 0) fail("bind");
    if (listen(listener, 1024) != 0) fail("listen");
    if (getsockname(listener, (struct sockaddr*)&address, &length) != 0) fail("getsockname");
    return ntohs(address.sin_port);
}

int main(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--workers") == 0) workers = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    if (workers == 0 || workers > most_workers) fail("--workers");
    const unsigned short port = listen_on_loopback();
    for (unsigned i = 0; i < workers; ++i) epolls[i] = epoll_create1(EPOLL_CLOEXEC);
    watch(epolls[0], listener);
    for (unsigned i = 1; i < workers; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_in_thread, &epolls[i]) != 0) fail("pthread_create");
    }
    printf("{\"port\": %u}\n", port);
    fflush(stdout);
    serve(epolls[0]);
}
