// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// LD_PRELOAD shim: a network that moves 1 to 7 bytes at a time, interrupts system calls and says
// EAGAIN although there is something. Seeded by WEFT_TEST_SEED. What it does could happen on a real
// network: a short transfer or a false EAGAIN on a descriptor that epoll watches edge-triggered is
// followed by an edge, as if the rest had come a moment later (epoll_ctl MOD makes one).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { watched_limit = 4096 };

static struct {
    int epoll;  // 0: not watched; the descriptor of an epoll instance is never 0 here
    struct epoll_event event;
} watched[watched_limit];
static pthread_mutex_t watched_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t draw(void) {
    static _Thread_local uint32_t state = 0;
    static uint32_t threads = 0;
    if (state == 0) {
        const char* seed = getenv("WEFT_TEST_SEED");
        uint32_t thread = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
        state = (uint32_t)(seed ? strtoull(seed, NULL, 0) : 1) * 2654435761u + thread * 40503u;
        if (state == 0) state = 1;
    }
    state ^= state << 13;  // xorshift: G. Marsaglia, Xorshift RNGs (2003)
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void make_edge(int fd) {
    static int (*real)(int, int, int, struct epoll_event*);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "epoll_ctl");
    if (fd < 0 || fd >= watched_limit) return;
    pthread_mutex_lock(&watched_lock);
    if (watched[fd].epoll != 0) {
        int saved = errno;
        struct epoll_event event = watched[fd].event;
        real(watched[fd].epoll, EPOLL_CTL_MOD, fd, &event);
        errno = saved;
    }
    pthread_mutex_unlock(&watched_lock);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event* event) {
    static int (*real)(int, int, int, struct epoll_event*);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "epoll_ctl");
    pthread_mutex_lock(&watched_lock);
    int result = real(epoll, operation, fd, event);
    if (result == 0 && fd >= 0 && fd < watched_limit) {
        watched[fd].epoll = operation == EPOLL_CTL_DEL ? 0 : epoll;
        if (operation != EPOLL_CTL_DEL) watched[fd].event = *event;
    }
    pthread_mutex_unlock(&watched_lock);
    return result;
}

/// Blocking sockets are the tests' own peers: they are left alone.
static int is_blocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

/// 0: carry out; else the errno of a false answer.
static int false_answer(int fd) {
    if (is_blocking(fd)) return 0;
    uint32_t drawn = draw();
    if (drawn % 8 == 0) return EINTR;
    if (drawn % 5 == 1) {
        make_edge(fd);
        return EAGAIN;
    }
    return 0;
}

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
    static ssize_t (*real)(int, void*, size_t, int);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "recv");
    int answer = false_answer(fd);
    if (answer != 0) {
        errno = answer;
        return -1;
    }
    size_t part = is_blocking(fd) ? size : 1 + draw() % 7;
    ssize_t result = real(fd, buffer, part < size ? part : size, flags);
    if (part < size && result == (ssize_t)part) make_edge(fd);
    return result;
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
    static ssize_t (*real)(int, const void*, size_t, int);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "send");
    int answer = false_answer(fd);
    if (answer != 0) {
        errno = answer;
        return -1;
    }
    size_t part = is_blocking(fd) ? size : 1 + draw() % 7;
    return real(fd, data, part < size ? part : size, flags);
}

int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
    static int (*real)(int, struct sockaddr*, socklen_t*, int);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "accept4");
    int answer = false_answer(fd);
    if (answer != 0) {
        errno = draw() % 4 == 0 && answer == EINTR ? ECONNABORTED : answer;
        return -1;
    }
    return real(fd, address, size, flags);
}

int epoll_pwait2(int epoll, struct epoll_event* events, int limit, const struct timespec* timeout,
                 const __sigset_t* mask) {
    static int (*real)(int, struct epoll_event*, int, const struct timespec*, const __sigset_t*);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "epoll_pwait2");
    if (draw() % 8 == 0) {
        errno = EINTR;
        return -1;
    }
    return real(epoll, events, limit, timeout, mask);
}
