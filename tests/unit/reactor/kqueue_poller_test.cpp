// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The kqueue backend against a kernel made of this file: on a platform without <sys/event.h> the
// declarations of that header and the two calls are supplied here, so the same source that runs on
// macOS and the BSDs, its policy included, runs in this test.

#if !__has_include(<sys/event.h>)

#include <cstdint>
#include <ctime>

// The header names a type and a function alike, which g++ calls shadowing.
#pragma GCC diagnostic ignored "-Wshadow"

// The declarations as FreeBSD 11 and macOS have them (field for field; macOS has no ext[]).
struct kevent {
    std::uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned int fflags;
    std::intptr_t data;
    void* udata;
};
#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER (-11)
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR 0x0020
#define EV_EOF 0x8000
#define EV_ERROR 0x4000
#define NOTE_TRIGGER 0x01000000
int kqueue();
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const struct timespec* timeout);

#include "reactor/kqueue_poller.hpp"
#include "reactor/kqueue_system.hpp"

#include <fcntl.h>

#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "weft/reactor/reactor_shard.hpp"

namespace {

using namespace weft::detail;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// One kernel queue: filters by (ident, filter), and the events that are due.
struct fake_kernel {
    std::map<std::pair<std::uintptr_t, int>, struct kevent> filters;
    std::deque<struct kevent> due;
    std::vector<int> faults;  // errno of the next calls, 0 = works
    bool had_timeout = false;
    timespec last_timeout{};
    int queue = -1;

    bool fails() {
        if (faults.empty()) return false;
        errno = faults.front();
        faults.erase(faults.begin());
        return errno != 0;
    }
    int change(const struct kevent& wanted) {
        const auto key = std::pair(wanted.ident, int{wanted.filter});
        if ((wanted.flags & EV_ADD) != 0) {
            filters[key] = wanted;
            return 0;
        }
        const auto found = filters.find(key);
        if (found == filters.end()) {
            errno = ENOENT;
            return -1;
        }
        if ((wanted.flags & EV_DELETE) != 0) filters.erase(found);
        if ((wanted.fflags & NOTE_TRIGGER) != 0) fire(wanted.ident, EVFILT_USER, 0);
        return 0;
    }
    void fire(std::uintptr_t ident, int filter, int flags) {
        struct kevent event = filters.at({ident, filter});
        event.flags = static_cast<unsigned short>(flags);
        due.push_back(event);
    }
};

fake_kernel* kernel = nullptr;

struct fake_queue {
    fake_kernel state;
    fake_queue() { kernel = &state; }
    ~fake_queue() { kernel = nullptr; }
};

std::vector<poll_event> wait(poller& source, nanoseconds timeout) {
    std::vector<poll_event> events(8);
    const auto count = source.wait(events, timeout);
    REQUIRE(count.has_value());
    events.resize(*count);
    return events;
}

}  // namespace

int kqueue() {
    if (kernel->fails()) return -1;
    kernel->queue = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // something that close(2) accepts
    return kernel->queue;
}

int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events,
           int event_count, const struct timespec* timeout) {
    REQUIRE(queue == kernel->queue);
    if (kernel->fails()) return -1;
    for (int i = 0; i < change_count; ++i) {
        if (kernel->change(changes[i]) < 0) return -1;
    }
    if (event_count == 0) return 0;
    kernel->had_timeout = timeout != nullptr;
    if (timeout != nullptr) kernel->last_timeout = *timeout;
    int count = 0;
    for (; count < event_count && !kernel->due.empty(); ++count) {
        events[count] = kernel->due.front();
        kernel->due.pop_front();
    }
    return count;
}

TEST_CASE("kqueue: both filters are registered once, edge-triggered", "[reactor][kqueue]") {
    fake_queue fake;
    kqueue_poller<kqueue_system> source;
    REQUIRE_FALSE(source.add(5, 42));
    for (int filter : {EVFILT_READ, EVFILT_WRITE}) {
        REQUIRE(fake.state.filters.contains({5, filter}));
        CHECK((fake.state.filters.at({5, filter}).flags & EV_CLEAR) != 0);
    }
    REQUIRE_FALSE(source.remove(5));
    CHECK(fake.state.filters.size() == 1);  // the wake-up event
    CHECK(source.remove(5) == std::errc::no_such_file_or_directory);
}

TEST_CASE("kqueue: events carry their token and direction", "[reactor][kqueue]") {
    fake_queue fake;
    kqueue_poller<kqueue_system> source;
    const std::uint64_t token = io_token{.index = 3, .generation = 0xffffffffU}.packed();
    REQUIRE_FALSE(source.add(5, token));
    fake.state.fire(5, EVFILT_READ, 0);
    fake.state.fire(5, EVFILT_WRITE, 0);
    fake.state.fire(5, EVFILT_READ, EV_EOF);
    fake.state.fire(5, EVFILT_WRITE, EV_EOF);
    const auto events = wait(source, 0ns);
    REQUIRE(events.size() == 4);
    for (const auto& event : events) CHECK(event.token == token);
    CHECK((events[0].readable && !events[0].writable && !events[0].hang_up));
    CHECK((!events[1].readable && events[1].writable && !events[1].hang_up));
    CHECK((events[2].readable && events[2].hang_up));
    CHECK((events[3].readable && events[3].writable && events[3].hang_up));
}

TEST_CASE("kqueue: a wake-up ends the wait and is not an event", "[reactor][kqueue]") {
    fake_queue fake;
    kqueue_poller<kqueue_system> source;
    fake.state.faults = {EINTR};
    source.wake();
    REQUIRE(fake.state.due.size() == 1);
    CHECK(wait(source, poller::forever).empty());
    CHECK_FALSE(fake.state.had_timeout);
    CHECK(fake.state.due.empty());
}

TEST_CASE("kqueue: timeouts are exact, bounded, or absent", "[reactor][kqueue]") {
    fake_queue fake;
    kqueue_poller<kqueue_system> source;
    CHECK(wait(source, 1s + 5ns).empty());
    REQUIRE(fake.state.had_timeout);
    CHECK(fake.state.last_timeout.tv_sec == 1);
    CHECK(fake.state.last_timeout.tv_nsec == 5);
    CHECK(wait(source, std::chrono::hours{24 * 365 * 100}).empty());
    CHECK(fake.state.last_timeout.tv_sec == 24 * 3600);
    CHECK(wait(source, nanoseconds{-1}).empty());
    CHECK_FALSE(fake.state.had_timeout);
}

TEST_CASE("kqueue: an interrupted wait is an empty one, a failed one an error",
          "[reactor][kqueue]") {
    fake_queue fake;
    kqueue_poller<kqueue_system> source;
    fake.state.faults = {EINTR};
    CHECK(wait(source, 1ms).empty());
    fake.state.faults = {EBADF};
    std::vector<poll_event> events(4);
    const auto count = source.wait(events, 1ms);
    REQUIRE_FALSE(count.has_value());
    CHECK(count.error() == std::errc::bad_file_descriptor);
}

TEST_CASE("kqueue: a registration that fails half-way leaves nothing", "[reactor][kqueue]") {
    fake_queue fake;
    kqueue_poller<kqueue_system> source;
    fake.state.faults = {EINTR, 0, ENOMEM};
    CHECK(source.add(5, 42) == std::errc::not_enough_memory);
    CHECK(fake.state.filters.size() == 1);
    fake.state.faults = {EBADF};
    CHECK(source.add(5, 42) == std::errc::bad_file_descriptor);
    CHECK(fake.state.filters.size() == 1);
}

TEST_CASE("kqueue: a failed construction closes the queue", "[reactor][kqueue]") {
    fake_queue fake;
    fake.state.faults = {EMFILE};
    CHECK_THROWS_AS(kqueue_poller<kqueue_system>(), std::system_error);
    fake.state.faults = {0, ENOMEM};
    CHECK_THROWS_AS(kqueue_poller<kqueue_system>(), std::system_error);
    CHECK(::fcntl(fake.state.queue, F_GETFD) == -1);
}

TEST_CASE("kqueue: a shard runs on it", "[reactor][kqueue]") {
    fake_queue fake;
    reactor_shard shard(std::make_unique<kqueue_poller<kqueue_system>>());
    auto* slot = shard.add(5).value();
    io_waiter reader;
    REQUIRE(slot->word(io_direction::read).prepare(&reader) == io_prepare::waiting);
    fake.state.fire(5, EVFILT_READ, 0);
    std::vector<io_waiter*> woken;
    REQUIRE(shard.poll(0ns, [&](io_waiter* w) { woken.push_back(w); }).has_value());
    CHECK(woken == std::vector<io_waiter*>{&reader});
    // The descriptor is closed while its next event is due: the event is dropped.
    fake.state.fire(5, EVFILT_READ, 0);
    shard.close(*slot, [](io_waiter*) {});
    shard.remove(*slot, 5);
    REQUIRE(shard.poll(0ns, [&](io_waiter* w) { woken.push_back(w); }).has_value());
    CHECK(woken.size() == 1);
    CHECK(shard.counters().stale == 1);
}

#endif
