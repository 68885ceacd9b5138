// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The readiness word under the model checker: an operation that got "try again" waits, a poller
// reports events, a canceller takes the waiter back, a closer ends it all. No event is lost, a
// waiter is handed out once and is not touched after its wake.
#include "weft/reactor/readiness.hpp"

#include <memory>

#include "engine/cases.hpp"
#include "support/catch.hpp"

namespace weft::model {

namespace {

using env = mutable_environment;
using weft::detail::io_prepare;
using weft::detail::io_waiter;
using readiness_word = weft::detail::readiness_word<env>;

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

/// A waiter in a frame that dies when the operation goes on.
struct frame_waiter : io_waiter {
    env::cell<int> field{7};  // written by the operation, read by whoever wakes
    env::atomic<std::uint32_t> woken{0};
};

/// What every thread that took a waiter out of the word does. The increment is its last touch: the
/// operation may go on and its frame die, so no futex is used here.
void wake(io_waiter* taken) {
    if (taken == nullptr) return;
    auto* waiter = static_cast<frame_waiter*>(taken);
    require(waiter->field.load() == 7, "the waiter's fields are visible");
    waiter->woken.fetch_add(1, release);
}

void wait_until_woken(frame_waiter& waiter) {
    while (waiter.woken.load(acquire) == 0) env::relax();
}

/// The descriptor: how much there is to read. The kernel's side of it is always up to date.
struct descriptor {
    env::atomic<int> bytes{0};

    void arrive() { bytes.fetch_add(1, release); }
    bool try_read() {
        int available = bytes.fetch_add(0, std::memory_order_acq_rel);
        return available > 0 && bytes.compare_exchange_strong(available, available - 1);
    }
};

/// Reads one byte as an operation does: try first, ask the word after "try again". False: closed.
bool read_one(readiness_word& word, descriptor& from) {
    while (!from.try_read()) {
        auto waiter = std::make_unique<frame_waiter>();
        switch (word.prepare(waiter.get())) {
            case io_prepare::closed:
                return false;
            case io_prepare::ready:
                break;
            case io_prepare::waiting:
                wait_until_woken(*waiter);
                break;
            case io_prepare::busy:
                require(false, "one operation at a time");
        }
    }
    return true;
}

const registered_case events({
    .structure = "readiness",
    .name = "two bytes and their events reach a reader that waits for each",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            readiness_word word;
            descriptor from;
            s.name(word, "word");
            s.name(from, "descriptor");
            s.thread("reader", [&] {
                require(read_one(word, from) && read_one(word, from), "nobody closes");
            });
            s.thread("poller", [&] {
                for (int i = 0; i < 2; ++i) {
                    from.arrive();
                    wake(word.mark_ready(false));
                }
            });
            s.finally([] {});
        },
});

const registered_case two_pollers({
    .structure = "readiness",
    .name = "two pollers report at once and a hang-up sticks",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            readiness_word word;
            descriptor from;
            s.name(word, "word");
            s.thread("reader", [&] { require(read_one(word, from), "nobody closes"); });
            s.thread("first poller", [&] {
                from.arrive();
                wake(word.mark_ready(false));
            });
            s.thread("second poller", [&] { wake(word.mark_ready(true)); });
            s.finally([&] { require(word.has_hang_up(), "the hang-up is kept"); });
        },
});

const registered_case cancelling({
    .structure = "readiness",
    .name = "a cancel and an event compete for the waiter, and the loser's event is given back",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            readiness_word word;
            descriptor from;
            s.name(word, "word");
            auto waiter = std::make_unique<frame_waiter>();
            auto installed = word.prepare(waiter.get());
            require(installed == io_prepare::waiting, "the word is empty at first");
            s.thread("operation", [&] {
                if (!word.cancel(waiter.get())) {
                    wait_until_woken(*waiter);
                    wake(word.mark_ready(false));  // it was handed an event that it does not use
                }
                waiter.reset();
                require(read_one(word, from), "the next operation gets it");
            });
            s.thread("poller", [&] {
                from.arrive();
                wake(word.mark_ready(false));
            });
            s.finally([] {});
        },
});

const registered_case foreign_cancel({
    .structure = "readiness",
    .name = "a canceller on another thread takes the waiter back and wakes it",
    .kills = {},
    .limits = {.preemptions = 4, .stale_loads = 3},
    .body =
        [](scenario& s) {
            readiness_word word;
            s.name(word, "word");
            env::atomic<frame_waiter*> published{nullptr};
            s.thread("operation", [&] {
                frame_waiter waiter;
                published.store(&waiter, std::memory_order_relaxed);  // no edge but the word's
                waiter.field.store(7);
                if (word.prepare(&waiter) == io_prepare::waiting) wait_until_woken(waiter);
                published.store(nullptr, release);
            });
            s.thread("canceller", [&] {
                frame_waiter* target = published.load(std::memory_order_relaxed);
                if (target != nullptr && word.cancel(target)) wake(target);
                wake(word.mark_ready(false));  // so that the operation ends in any case
            });
            s.finally([] {});
        },
});

const registered_case closing({
    .structure = "readiness",
    .name = "a close reaches a reader before, while and after it waits",
    .kills = {},
    .limits = {.preemptions = 3, .stale_loads = 2},
    .body =
        [](scenario& s) {
            readiness_word word;
            descriptor from;
            env::cell<int> reason{0};
            s.name(word, "word");
            s.thread("reader", [&] {
                if (!read_one(word, from)) require(reason.load() == 1, "the closer's stores");
            });
            s.thread("poller", [&] {
                wake(word.mark_ready(false));
                if (word.is_closed()) require(reason.load() == 1, "the closer's stores");
            });
            s.thread("closer", [&] {
                reason.store(1);
                wake(word.close());
            });
            s.finally([&] {
                frame_waiter late;
                require(word.is_closed(), "closed");
                require(word.prepare(&late) == io_prepare::closed, "closed for good");
            });
        },
});

}  // namespace

TEST_CASE("a readiness word loses no event and hands a waiter out once", "[readiness]") {
    check_cases("readiness");
}

}  // namespace weft::model
