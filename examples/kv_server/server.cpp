// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "server.hpp"

#include <algorithm>
#include <utility>

namespace kv {

namespace net = weft::net;

weft::coro<> server::run(net::endpoint address, void (*ready)(const net::endpoint&)) {
    net::tcp_listener listener = net::tcp_listener::bind(address);
    ready(listener.local_endpoint());
    weft::task<> idle_sweep;
    if (host_.settings.idle_timeout > std::chrono::seconds(0)) {
        idle_sweep = weft::create_task({.name = "idle sweep"}, &server::disconnect_idle, this);
    }
    try {
        co_await accept_clients(listener);
    } catch (const weft::cancelled&) {  // SIGTERM: this is how a server ends
    }
    listener.close();
    co_await stop();
    if (!idle_sweep) co_return;
    idle_sweep.cancel("the server stops");
    try {
        co_await idle_sweep;
    } catch (const weft::cancelled&) {  // as asked
    }
}

weft::coro<> server::accept_clients(net::tcp_listener& listener) {
    for (std::uint64_t id = 1;; ++id) {
        net::tcp_stream stream = co_await listener.accept();
        stream.set_no_delay(true);  // answers are written whole: waiting for more gains nothing
        auto client = std::make_shared<connection>(host_, id, std::move(stream));
        host_.connections_accepted.fetch_add(1, std::memory_order_relaxed);  // a statistic
        {
            const std::scoped_lock lock(mutex_);
            connections_.insert(client.get());
        }
        forget_finished();
        clients_.push_back(weft::create_task(&server::serve_client, this, std::move(client)));
    }
}

// Looks through all handles once per doubling, so that it costs each client a constant.
void server::forget_finished() {
    if (clients_.size() < clients_.capacity()) return;
    std::erase_if(clients_, [](const weft::task<>& client) { return client.done(); });
    clients_.reserve(std::max<std::size_t>(64, 2 * clients_.size()));
}

weft::coro<> server::serve_client(std::shared_ptr<connection> client) {
    host_.connections_open.fetch_add(1, std::memory_order_relaxed);  // a statistic
    co_await client->serve(sweeper_);
    host_.connections_open.fetch_sub(1, std::memory_order_relaxed);  // a statistic
    const std::scoped_lock lock(mutex_);
    connections_.erase(client.get());
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
            for (connection* client : connections_) {
                const deadline end = client->last_heard() + limit;
                if (end <= now) {
                    client->disconnect();
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
        for (connection* client : connections_) client->finish_reading();
    }
    bool is_late = false;
    try {
        co_await weft::with_timeout(grace_, join_clients());
    } catch (const weft::timeout_error&) {  // some client does not take its answers
        is_late = true;
    }
    if (is_late) {
        {
            const std::scoped_lock lock(mutex_);
            for (connection* client : connections_) client->disconnect();
        }
        co_await join_clients();
    }
    co_await sweeper_.stop();
}

weft::coro<> server::join_clients() {
    while (!clients_.empty()) {
        while (!clients_.back().done()) co_await clients_.back();
        clients_.pop_back();
    }
}

}  // namespace kv
