// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Map: one client's stream and session, and the coroutine that carries bytes between them. The
// server ends a connection from outside by ending the reading direction of its stream.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <weft/net/tcp_stream.hpp>
#include <weft/weft.hpp>

#include "entry.hpp"
#include "session.hpp"
#include "sweeper.hpp"

namespace kv {

class connection {
public:
    connection(service& host, std::uint64_t id, weft::net::tcp_stream stream);

    /// Reads, executes and answers until the client leaves, breaks the protocol or is told to go.
    /// What was received when that happens is answered. Throws nothing but `weft::cancelled`.
    weft::coro<> serve(sweeper& expiry);

    /// The client's next read gives the end of the stream once everything that has arrived was
    /// read: its requests are answered, later ones never start. Any task, while serve() runs.
    void finish_reading() noexcept;
    /// Both directions end at once. Any task, while serve() runs.
    void disconnect() noexcept;

    /// When the client last sent bytes or took some, on the steady clock.
    [[nodiscard]] deadline last_active() const noexcept {
        return deadline(milliseconds(last_active_.load(std::memory_order_relaxed)));
    }

private:
    bool prepare_stream() noexcept;
    weft::coro<bool> read();
    weft::coro<bool> answer(sweeper& expiry);
    weft::coro<> part();
    void note_time(deadline now) noexcept {
        last_active_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    }

    weft::net::tcp_stream stream_;
    session session_;
    // A date that the idle sweep compares; it orders nothing, so relaxed.
    std::atomic<milliseconds::rep> last_active_;
};

}  // namespace kv
