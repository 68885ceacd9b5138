// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "server.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "end_task.hpp"

namespace kv {

namespace net = weft::net;

// A connection that the idle sweep and stop() can reach for as long as it lives.
class server::client {
public:
    client(server& owner, std::uint64_t id, net::tcp_stream stream)
        : link(owner.host_, id, std::move(stream)), owner_(owner) {
        owner_.host_.connections_accepted.fetch_add(1, std::memory_order_relaxed);  // a statistic
        owner_.host_.connections_open.fetch_add(1, std::memory_order_relaxed);      // a statistic
        const std::scoped_lock lock(owner_.mutex_);
        owner_.connections_.insert(&link);
    }
    ~client() {
        owner_.host_.connections_open.fetch_sub(1, std::memory_order_relaxed);  // a statistic
        const std::scoped_lock lock(owner_.mutex_);
        owner_.connections_.erase(&link);
    }
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    connection link;

private:
    server& owner_;
};

weft::coro<> server::run(net::endpoint address, void (*ready)(const net::endpoint&)) {
    net::tcp_listener listener = net::tcp_listener::bind(address);
    ready(listener.local_endpoint());
    weft::task<> idle_sweep;
    if (host_.settings.idle_timeout > std::chrono::seconds(0)) {
        idle_sweep = weft::create_task({.name = "idle sweep"}, &server::disconnect_idle, this);
    }
    std::exception_ptr failure;
    try {
        co_await accept_clients(listener);
    } catch (const weft::cancelled&) {  // SIGTERM: this is how a server ends
    } catch (...) {
        failure = std::current_exception();  // the tasks use this object: they must end first
    }
    listener.close();
    co_await stop();
    co_await end_task(std::move(idle_sweep));
    if (failure) std::rethrow_exception(failure);
}

weft::coro<> server::accept_clients(net::tcp_listener& listener) {
    for (std::uint64_t id = 1;; ++id) {
        net::tcp_stream stream = co_await listener.accept();
        auto who = std::make_unique<client>(*this, id, std::move(stream));
        forget_finished();
        tasks_.push_back(weft::create_task(serve(std::move(who))));
    }
}

weft::coro<> server::serve(std::unique_ptr<client> who) { co_await who->link.serve(sweeper_); }

// Looks through all handles once per doubling, so that it costs each client a constant.
void server::forget_finished() {
    if (tasks_.size() < tasks_.capacity()) return;
    std::erase_if(tasks_, [](const weft::task<>& each) { return each.done(); });
    tasks_.reserve(std::max<std::size_t>(64, 2 * tasks_.size()));
}

// One task that looks at all clients from time to time: cheaper than a timer per read, which a busy
// connection would set and cancel for every request.
weft::coro<> server::disconnect_idle() {
    const milliseconds limit = host_.settings.idle_timeout;
    for (;;) {
        const deadline now = instant::now().steady;
        deadline next = now + limit;
        {
            const std::scoped_lock lock(mutex_);
            for (connection* each : connections_) {
                const deadline end = each->last_active() + limit;
                if (end <= now) {
                    each->disconnect();
                } else {
                    next = std::min(next, end);
                }
            }
        }
        co_await weft::sleep_until(next);
    }
}

weft::coro<> server::stop() {
    {
        const std::scoped_lock lock(mutex_);
        for (connection* each : connections_) each->finish();
    }
    weft::task<> last_call = weft::create_task({.name = "grace"}, &server::disconnect_late, this);
    for (const weft::task<>& each : tasks_) {
        try {
            co_await each;
        } catch (const std::exception&) {  // one that failed, for want of memory say, ended too
        }
    }
    co_await end_task(std::move(last_call));
    co_await sweeper_.stop();
}

weft::coro<> server::disconnect_late() {
    co_await weft::sleep(grace_);
    const std::scoped_lock lock(mutex_);
    for (connection* each : connections_) each->disconnect();
}

}  // namespace kv
