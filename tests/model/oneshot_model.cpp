// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The oneshot's word under the model checker: the sender sends or goes, the receiver waits, is
// cancelled, or goes. A value is received or found by the sender, nobody sleeps for ever, and the
// block is freed once, by the end that went last.
#include "weft/sync/oneshot_word.hpp"

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;

struct receive {
    env::atomic<std::uint32_t> woken{0};  // stands for the owner's lifecycle word
    env::cell<int> datum{0};

    void wake() {
        require(datum.load() == 1, "who waits is whole for its waker");
        woken.store(1, std::memory_order_release);
        env::futex_wake(woken, 1);
    }
    void until_woken() {
        while (woken.load(std::memory_order_acquire) == 0) {
            env::futex_wait(woken, 0, std::chrono::steady_clock::time_point::max());
        }
    }
};

struct block {
    weft::detail::oneshot_word<env, receive> word;
    env::cell<int> value{0};
};

struct channel {
    block* shared = new block;
    receive first, second;  // lie in frames that whoever wakes them may still touch
    int freed = 0;          // fibers share one thread, so plain numbers may count
    int received = 0;
    int returned = 0;

    explicit channel(scenario& s) {
        s.name(shared->word, "oneshot");
        s.name(shared->value, "value");
    }
    void free() {
        ++freed;
        delete shared;
    }
    void send() {
        shared->value.store(1);
        const auto [is_kept, to_wake] = shared->word.settle(true);
        if (to_wake != nullptr) to_wake->wake();
        if (is_kept) return;
        require(shared->value.load() == 1, "the sender has its value back");
        ++returned;
        free();
    }
    void drop_sender() {
        const auto [is_kept, to_wake] = shared->word.settle(false);
        if (to_wake != nullptr) to_wake->wake();
        if (!is_kept) free();
    }
    /// False: it is settled.
    bool wait(receive& mine) {
        mine.datum.store(1);
        using result = decltype(shared->word)::wait_result;
        return !shared->word.is_settled() && shared->word.try_wait(mine) == result::waits;
    }
    void take() {
        if (!shared->word.has_value()) return;
        require(shared->value.load() == 1, "the value is whole");
        ++received;
    }
    void drop_receiver() {
        if (shared->word.leave()) free();
    }
    void check(bool was_sent) const {
        require(freed == 1, "the block is freed once");
        require(received + returned <= (was_sent ? 1 : 0), "a value goes to one end");
    }
};

const registered_case received({
    .structure = "oneshot",
    .name = "a receiver waits for a value",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            channel c(s);
            s.thread("sender", [&] { c.send(); });
            s.thread("receiver", [&] {
                if (c.wait(c.first)) c.first.until_woken();
                c.take();
                c.drop_receiver();
            });
            s.finally([&] {
                c.check(true);
                require(c.received == 1, "who waits gets the value");
            });
        },
});

const registered_case closed({
    .structure = "oneshot",
    .name = "a receiver waits for a sender that goes",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            channel c(s);
            s.thread("sender", [&] { c.drop_sender(); });
            s.thread("receiver", [&] {
                if (c.wait(c.first)) c.first.until_woken();
                require(!c.shared->word.has_value(), "it learns that nothing comes");
                c.drop_receiver();
            });
            s.finally([&] { c.check(false); });
        },
});

const registered_case abandoned({
    .structure = "oneshot",
    .name = "both ends go at once",
    .kills = {mutation::oneshot_leaves_without_a_word, mutation::oneshot_frees_before_the_sender},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            channel c(s);
            s.thread("sender", [&] { c.send(); });
            s.thread("receiver", [&] { c.drop_receiver(); });
            s.finally([&] { c.check(true); });
        },
});

const registered_case cancelled({
    .structure = "oneshot",
    .name = "a receive is cancelled while the value comes",
    .kills = {mutation::oneshot_unlinks_blindly},
    .limits = {.preemptions = 4, .stale_loads = 2},
    .body =
        [](scenario& s) {
            channel c(s);
            s.thread("sender", [&] { c.send(); });
            s.thread("receiver", [&] {
                // A canceller that comes too late leaves the wake-up to the sender.
                if (c.wait(c.first) && !c.shared->word.unlink(c.first)) {
                    c.first.until_woken();
                }
                if (c.wait(c.second)) c.second.until_woken();
                c.take();
                c.drop_receiver();
            });
            s.finally([&] {
                c.check(true);
                require(c.received == 1, "a cancelled receive loses no value");
            });
        },
});

}  // namespace

TEST_CASE("a oneshot loses no value, no wake-up and no block", "[oneshot]") {
    check_cases("oneshot");
}

}  // namespace weft::model
