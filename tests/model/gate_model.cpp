// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The socket gate under the model checker: operations, short calls, closers and the owner come and
// go in every order. The descriptor is closed once, after the last use; the memory is freed once,
// after everything.
#include "net/socket_gate.hpp"

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::gate_duty;
using weft::detail::gate_entry;
using weft::detail::io_direction;
using socket_gate = weft::detail::socket_gate<env>;

/// Cells stand for what the gate protects: any use that it does not order is a race.
struct socket {
    socket_gate gate;
    env::cell<bool> is_open{true};
    env::cell<int> reader_field{0};

    void use() { require(is_open.load(), "the descriptor is open while somebody uses it"); }

    /// Does what a leaving step owes. May free the socket.
    void settle(gate_duty duty) {
        if (duty == gate_duty::finalise) {
            require(is_open.load(), "the descriptor is closed once");
            is_open.store(false);
            duty = gate.finish_finalise();
        }
        if (duty == gate_duty::free) delete this;
    }

    void read() {
        if (gate.begin(io_direction::read) != gate_entry::entered) return;
        use();
        reader_field.store(reader_field.load() + 1);
        settle(gate.end(io_direction::read));
    }
    void call() {
        if (!gate.enter_call()) return;
        use();
        settle(gate.leave_call());
    }
    void close() {
        if (!gate.begin_close()) return;
        use();
        settle(gate.leave_call());
    }
    void drop_owner() {
        close();
        settle(gate.drop_owner());
    }
};

const registered_case reading({
    .structure = "gate",
    .name = "an operation and a call end while the owner closes and goes",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            auto* shared = new socket;
            s.name(shared->gate, "gate");
            // The users hold the socket for as long as they are inside, so they enter first.
            auto entered = shared->gate.begin(io_direction::read);
            require(entered == gate_entry::entered && shared->gate.enter_call(), "it is open");
            s.thread("reader", [=] {
                shared->use();
                shared->reader_field.store(1);
                shared->settle(shared->gate.end(io_direction::read));
            });
            s.thread("caller", [=] {
                shared->use();
                shared->settle(shared->gate.leave_call());
            });
            s.thread("owner", [=] { shared->drop_owner(); });
            s.finally([] {});
        },
});

const registered_case closing({
    .structure = "gate",
    .name = "two closers, a reader and a caller leave one that closes the descriptor",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 1},
    .body =
        [](scenario& s) {
            auto* shared = new socket;
            s.name(shared->gate, "gate");
            s.thread("reader", [=] { shared->read(); });
            s.thread("caller", [=] { shared->call(); });
            for (int i = 0; i < 2; ++i) s.thread("closer", [=] { shared->close(); });
            s.finally([=] {
                require(!shared->is_open.load(), "closed by whoever was last");
                shared->settle(shared->gate.drop_owner());
            });
        },
});

const registered_case readers({
    .structure = "gate",
    .name = "one reader hands its fields to the next, or the next is told to wait",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            auto* shared = new socket;
            s.name(shared->gate, "gate");
            for (int i = 0; i < 2; ++i) s.thread("reader", [=] { shared->read(); });
            s.finally([=] { shared->drop_owner(); });
        },
});

const registered_case unused({
    .structure = "gate",
    .name = "closing only what nobody uses",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            auto* shared = new socket;
            s.name(shared->gate, "gate");
            s.thread("closer", [=] {
                if (shared->gate.try_close_unused()) shared->settle(gate_duty::finalise);
            });
            s.thread("reader", [=] { shared->read(); });
            s.finally([=] { shared->drop_owner(); });
        },
});

/// A closer tells the waiter why it is woken.
const registered_case reason({
    .structure = "gate",
    .name = "who sees the gate closed sees the closer's stores",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            auto* shared = new socket;
            env::cell<int> why{0};
            s.name(shared->gate, "gate");
            s.thread("closer", [&, shared] {
                why.store(1);
                shared->close();
            });
            s.thread("waiter", [&, shared] {
                if (shared->gate.is_closed()) require(why.load() == 1, "the reason");
            });
            s.finally([=] { shared->settle(shared->gate.drop_owner()); });
        },
});

}  // namespace

TEST_CASE("a socket is closed after its last use and freed after its last user", "[gate]") {
    check_cases("gate");
}

}  // namespace weft::model
