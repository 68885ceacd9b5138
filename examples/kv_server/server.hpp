// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: the listening socket, the connections, and how they end: idle ones by a sweep, all of them
// when the server stops.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>
#include <weft/net/tcp_listener.hpp>
#include <weft/weft.hpp>

#include "connection.hpp"
#include "sweeper.hpp"

namespace kv {

class server {
public:
    /// `host` outlives the server. The clients get `grace` to take their answers when it stops.
    server(service& host, std::chrono::milliseconds grace)
        : host_(host), grace_(grace), sweeper_(host.data) {}

    /// Serves until it is cancelled; then accepts nobody any more, answers every complete request
    /// that has arrived, closes all connections and returns. Throws std::system_error if it cannot
    /// listen. Calls `ready` with the address once clients can connect.
    weft::coro<> run(weft::net::endpoint address, void (*ready)(const weft::net::endpoint&));

private:
    class client;

    weft::coro<> accept_clients(weft::net::tcp_listener& listener);
    weft::coro<> serve(std::unique_ptr<client> who);
    void forget_finished();
    weft::coro<> disconnect_idle();
    weft::coro<> stop();
    weft::coro<> disconnect_late();

    service& host_;
    std::chrono::milliseconds grace_;
    sweeper sweeper_;
    std::vector<weft::task<>> tasks_;  // one a client; only run() and what it awaits touch it

    std::mutex mutex_;
    std::unordered_set<connection*> connections_;  // guarded by mutex_
};

}  // namespace kv
