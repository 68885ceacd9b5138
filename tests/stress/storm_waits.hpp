// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Every kind of wait that a task can be in, for storms of cancellations. A wait is made anew for
// each task of a storm; it ends when it is opened, or by cancellation. Coroutines below a wait may
// outlive it, as children of gather do, so they share what they need.
#pragma once

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "support/runtime_case.hpp"
#include "support/runtime_gate.hpp"
#include "weft/base/unique_fd.hpp"
#include "weft/weft.hpp"

namespace weft::test {

/// What the coroutines below the waits of one storm count.
struct storm_children {
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::uint64_t> ended{0};
    std::atomic<std::uint64_t> declined{0};
};

/// What the waits of one storm have in common.
struct storm_ground {
    storm_children& children;
    strand shared;
};

/// Of every request of a storm.
inline constexpr std::string_view storm_reason = "storm";

class storm_wait {
public:
    storm_wait() = default;
    storm_wait(const storm_wait&) = delete;
    storm_wait& operator=(const storm_wait&) = delete;
    virtual ~storm_wait() = default;

    /// Called by one task; again after a cancellation if the task goes on.
    virtual coro<> wait() = 0;
    /// Called by another task, once.
    virtual void open() = 0;
    /// Requests so far that the awaited task took as its own, and declined.
    [[nodiscard]] virtual unsigned declined() const { return 0; }
    /// Whether this may be the reason of a cancellation that left a wait; none may be, where
    /// several ask at once.
    [[nodiscard]] virtual bool explains(std::string_view why) const {
        return why.empty() || why == storm_reason;
    }
    /// Cancellations so far that were a limit's own and became no timeout_error, because somebody
    /// else had asked as well: whose request may be delivered after that.
    [[nodiscard]] virtual unsigned let_through() const { return 0; }
    /// Asked after the last wait: whether what open() brought was taken once, or is still there.
    [[nodiscard]] virtual bool is_whole() const { return true; }
};

using shared_gate = std::shared_ptr<gate>;

/// The end of most waits.
inline coro<> leaf(shared_gate g, storm_children& count) {
    ++count.begun;
    const scope_exit leaving{[&count] { ++count.ended; }};
    co_await *g;
}

/// Another worker has the time to take one of these from its parent.
inline coro<> computing_leaf(shared_gate g, storm_children& count) {
    for (int i = 0; i < 100; ++i) detail::real_environment::relax();
    co_await yield();
    co_await leaf(std::move(g), count);
}

inline coro<> chain(unsigned links, shared_gate g, storm_children& count) {
    if (links == 0) {
        co_await leaf(std::move(g), count);
        co_return;
    }
    task<> next = create_task(chain(links - 1, std::move(g), count));
    co_await next;
}

/// Takes every request and goes on.
inline coro<> declining(shared_gate g, storm_children& count,
                        std::shared_ptr<std::atomic<unsigned>> declined) {
    for (;;) {
        try {
            co_await leaf(g, count);
            co_return;
        } catch (const cancelled&) {
            ++*declined;
            ++count.declined;
        }
    }
}

inline coro<> one_yield() { co_await yield(); }

class gated_wait : public storm_wait {
public:
    explicit gated_wait(const storm_ground& ground) : children(ground.children) {}
    void open() final {
        is_open = true;
        g->open();
    }

protected:
    std::atomic<bool> is_open{false};
    storm_children& children;
    shared_gate g = std::make_shared<gate>();
};

class at_a_gate final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override { co_await *g; }
};

class yielding final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        while (!is_open) co_await yield();
    }
};

class sleeping final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        while (!is_open) co_await sleep(std::chrono::microseconds{30});
    }
};

class for_a_task final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        task<> child = create_task(leaf(g, children));
        co_await child;
    }
};

class for_a_chain final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override { co_await chain(5, g, children); }
};

class for_one_that_declines final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        task<> child = create_task(declining(g, children, declined_));
        co_await child;
    }
    unsigned declined() const override { return *declined_; }
    std::shared_ptr<std::atomic<unsigned>> declined_ = std::make_shared<std::atomic<unsigned>>(0);
};

class gathering final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        co_await gather(leaf(g, children), coro_sleep(std::chrono::microseconds{20}),
                        chain(2, g, children));
    }
};

class gathering_settled final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        std::vector<coro<>> all;
        for (int i = 0; i < 4; ++i) all.push_back(leaf(g, children));
        co_await gather_settled(std::move(all));
    }
};

class joining_in_place final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override { co_await when_all(one_yield(), leaf(g, children), one_yield()); }
};

class joining_many final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        std::vector<coro<>> all;
        for (int i = 0; i < 4; ++i) all.push_back(leaf(g, children));
        co_await when_all(std::move(all));
    }
};

/// With more workers than one some of its children are stolen, and in these some again.
class joining_stolen final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override { co_await when_all(pair(), computing_leaf(g, children), pair()); }
    coro<> pair() { co_await when_all(computing_leaf(g, children), computing_leaf(g, children)); }
};

/// Again and again under a limit, whose own request may pass as a cancellation.
class limited_wait : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() final {
        while (!is_open) co_await once();
    }
    virtual coro<> once() = 0;
    bool explains(std::string_view why) const final {
        return gated_wait::explains(why) || why == "the deadline passed";
    }
    unsigned let_through() const final { return let_through_; }

protected:
    static constexpr std::chrono::microseconds limit{40};
    unsigned let_through_ = 0;
};

class in_time final : public limited_wait {
    using limited_wait::limited_wait;
    coro<> once() override {
        timeout_scope scope{limit};
        try {
            co_await with_timeout(scope, leaf(g, children));
        } catch (const timeout_error&) {
            co_return;
        } catch (const cancelled&) {
            if (scope.expired()) ++let_through_;
            throw;
        }
    }
};

class in_a_scope final : public limited_wait {
    using limited_wait::limited_wait;
    coro<> once() override {
        const cancel_scope scope{limit};
        try {
            static_cast<void>(co_await scope.run(leaf(g, children)));
        } catch (const cancelled&) {
            if (scope.cancel_called()) ++let_through_;
            throw;
        }
    }
};

/// A limit around a join of a gather and a chain.
class nested final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override { co_await with_timeout(std::chrono::hours{1}, inner()); }
    coro<> inner() { co_await when_all(outer_leaf(), chain(2, g, children)); }
    coro<> outer_leaf() { co_await gather(leaf(g, children), leaf(g, children)); }
};

/// The request ends the wait only; the tasks wait on.
class for_several final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        std::vector<task<>> all;
        for (int i = 0; i < 3; ++i) all.push_back(create_task(leaf(g, children)));
        static_cast<void>(co_await weft::wait(std::move(all)));
    }
};

class as_they_end final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        std::vector<coro<>> all;
        for (int i = 0; i < 3; ++i) all.push_back(leaf(g, children));
        completions<coro<>> ends = as_completed(std::move(all));
        for (;;) {
            const auto next = co_await ends.next();
            if (!next) break;
        }
    }
};

class shielding final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        task<> child = create_task(leaf(g, children));
        co_await shield(child);
    }
};

class for_the_first final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override {
        static_cast<void>(co_await when_any(leaf(g, children), leaf(g, children)));
    }
};

inline coro<> group_body(task_group& group, shared_gate g, storm_children* count) {
    for (int i = 0; i < 3; ++i) group.create_task(leaf(g, *count));
    co_await yield();
}

class in_a_group final : public gated_wait {
    using gated_wait::gated_wait;
    coro<> wait() override { co_await task_group::run(&group_body, g, &children); }
};

class on_a_strand final : public gated_wait {
public:
    explicit on_a_strand(const storm_ground& ground) : gated_wait(ground), strand_(ground.shared) {}

private:
    coro<> wait() override { co_await strand_.run(leaf(g, children)); }
    strand strand_;
};

class receiving final : public storm_wait {
public:
    explicit receiving(const storm_ground&) {}

private:
    coro<> wait() override {
        const int came = co_await pair_.receiver;
        if (came != 1) throw std::logic_error("what came is not what was sent");
    }
    void open() override { static_cast<void>(pair_.sender.send(1)); }
    oneshot_pair<int> pair_ = make_oneshot<int>();
};

/// Cancelling a task that waits for a future cancels that, so each wait has its own.
class for_a_future final : public storm_wait {
public:
    explicit for_a_future(const storm_ground&) {}

private:
    coro<> wait() override {
        future<> f = next();
        co_await f;
    }
    void open() override {
        const std::lock_guard guard{mutex_};
        is_open_ = true;
        if (promise_) promise_->set();
    }
    future<> next() {
        const std::lock_guard guard{mutex_};
        promise_ = std::make_unique<kept>();
        future<> f = promise_->promise.get_future();
        if (is_open_) promise_->set();
        return f;
    }

    struct kept {
        weft::promise<> promise;
        void set() const { static_cast<void>(promise.try_set_result()); }
    };
    std::mutex mutex_;
    bool is_open_ = false;
    std::unique_ptr<kept> promise_;
};

/// One byte comes: a cancelled read leaves it where it is.
class reading final : public storm_wait {
public:
    explicit reading(const storm_ground&) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
            throw std::runtime_error("no socket pair");
        }
        stream_ = net::tcp_stream::adopt(ends[0]);
        peer_.reset(ends[1]);
    }

private:
    coro<> wait() override {
        std::byte one{};
        received_ += co_await stream_.read_some(std::span(&one, 1));
    }
    void open() override {
        if (::send(peer_.get(), "!", 1, MSG_NOSIGNAL) != 1) throw std::runtime_error("no send");
    }
    bool is_whole() const override {
        int left = 0;
        static_cast<void>(::ioctl(stream_.native_handle(), FIONREAD, &left));
        return received_ + static_cast<std::size_t>(left) == 1;
    }
    net::tcp_stream stream_;
    detail::unique_fd peer_;
    std::size_t received_ = 0;
};

/// One connection comes: a cancelled accept leaves it in the queue.
class accepting final : public storm_wait {
public:
    explicit accepting(const storm_ground&) : listener_(net::tcp_listener::adopt(listens())) {}

private:
    coro<> wait() override {
        net::tcp_stream stream = co_await listener_.accept();
        accepted_ += stream.is_open() ? 1u : 0u;
    }
    void open() override {
        sockaddr_un address{};
        socklen_t length = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        peer_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::getsockname(listener_.native_handle(), raw, &length) != 0 ||
            ::connect(peer_.get(), raw, length) != 0) {
            throw std::runtime_error("no connection");
        }
    }
    bool is_whole() const override {
        const detail::unique_fd left{
            ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        return accepted_ + (left.get() >= 0 ? 1u : 0u) == 1;
    }
    /// An address of Linux' own choice, outside of the file system.
    static int listens() {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address.sun_family) != 0 ||
            ::listen(fd, 4) != 0) {
            throw std::runtime_error("no listener");
        }
        return fd;
    }
    net::tcp_listener listener_;
    detail::unique_fd peer_;
    unsigned accepted_ = 0;
};

struct storm_kind {
    std::string_view name;
    std::unique_ptr<storm_wait> (*make)(const storm_ground&);
    bool is_driven = true;  // works without threads
    bool declines = false;  // a request does not come to the task itself
};

template <class Wait>
std::unique_ptr<storm_wait> make_wait(const storm_ground& ground) {
    return std::make_unique<Wait>(ground);
}

inline constexpr storm_kind storm_kinds[] = {
    {"gate", &make_wait<at_a_gate>, true},
    {"yield", &make_wait<yielding>, true},
    {"sleep", &make_wait<sleeping>, true},
    {"task", &make_wait<for_a_task>, true},
    {"chain of tasks", &make_wait<for_a_chain>, true},
    {"task that declines", &make_wait<for_one_that_declines>, true, true},
    {"gather", &make_wait<gathering>, true},
    {"gather_settled", &make_wait<gathering_settled>, true},
    {"when_all, pack", &make_wait<joining_in_place>, true},
    {"when_all, vector", &make_wait<joining_many>, true},
    {"when_all, stolen", &make_wait<joining_stolen>, true},
    {"when_any", &make_wait<for_the_first>, true},
    {"wait", &make_wait<for_several>, true},
    {"as_completed", &make_wait<as_they_end>, true},
    {"shield", &make_wait<shielding>, true},
    {"task_group", &make_wait<in_a_group>, true},
    {"with_timeout", &make_wait<in_time>, true},
    {"cancel_scope", &make_wait<in_a_scope>, false},
    {"nested", &make_wait<nested>, true},
    {"strand", &make_wait<on_a_strand>, true},
    {"oneshot", &make_wait<receiving>, true},
    {"future", &make_wait<for_a_future>, true},
    {"read", &make_wait<reading>, false},
    {"accept", &make_wait<accepting>, false},
};

}  // namespace weft::test
