// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Futex, clock, fairness, storage and crashes under the checker.
#include <functional>
#include <memory>
#include <mutex>

#include "engine/check.hpp"
#include "support/catch.hpp"
#include "weft/base/check.hpp"

namespace model = weft::model;
using env = model::model_environment;
using namespace std::chrono_literals;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto forever = std::chrono::steady_clock::time_point::max();

model::options depth_first() { return {.random_executions = 0}; }

void passes_completely(const model::result& outcome) {
    INFO(outcome.report());
    CHECK_FALSE(outcome.failed);
    CHECK(outcome.complete);
}

void fails_with(const model::result& outcome, const std::string& part) {
    INFO(outcome.report());
    CHECK(outcome.failed);
    CHECK(outcome.message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a wake before the wait is not lost when the word is compared", "[model]") {
    auto body = [](bool changes_word) {
        return [=](model::scenario& s) {
            env::atomic<std::uint32_t> word{0};
            s.name(word, "word");
            s.thread("waiter", [&] {
                while (word.load(acquire) == 0) env::futex_wait(word, 0, forever);
            });
            s.thread("waker", [&, changes_word] {
                if (changes_word) word.store(1, release);
                env::futex_wake(word, 1);
                word.store(1, release);
            });
            s.finally([] {});
        };
    };
    passes_completely(model::check(depth_first(), body(true)));
    fails_with(model::check(depth_first(), body(false)),
               "deadlock (lost wake-up): waiter waits on word");
}

TEST_CASE("waking one of two waiters strands the other", "[model]") {
    auto body = [](int count) {
        return [=](model::scenario& s) {
            env::atomic<std::uint32_t> word{0};
            for (int i = 0; i < 2; ++i) {
                s.thread("waiter", [&] {
                    while (word.load(acquire) == 0) env::futex_wait(word, 0, forever);
                });
            }
            s.thread("waker", [&, count] {
                word.store(1, release);
                env::futex_wake(word, count);
            });
            s.finally([] {});
        };
    };
    passes_completely(model::check(depth_first(), body(2)));
    fails_with(model::check(depth_first(), body(1)), "deadlock");
}

TEST_CASE("a wait that trusts its return meets a spurious wake-up", "[model]") {
    auto body = [](model::scenario& s) {
        env::atomic<std::uint32_t> word{0};
        s.thread("waiter", [&] {
            env::futex_wait(word, 0, forever);
            model::require(word.load() == 1, "woken for a reason");
        });
        s.thread("waker", [&] {
            word.store(1);
            env::futex_wake(word, 1);
        });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), body), "woken for a reason");
    model::options calm = depth_first();
    calm.spurious_wakes = 0;
    passes_completely(model::check(calm, body));
}

TEST_CASE("a mutex keeps threads apart, and two in two orders are a deadlock", "[model]") {
    auto counts = [](model::scenario& s) {
        auto mutex = std::make_unique<env::mutex>();
        env::cell<int> count{0};
        for (int i = 0; i < 3; ++i) {
            s.thread("locker", [&] {
                bool is_last = false;
                {
                    std::lock_guard guard{*mutex};
                    count.store(count.load() + 1);
                    is_last = count.load() == 3;
                }
                if (is_last) mutex = nullptr;  // nobody else has it, or wants it
            });
        }
        s.finally([] {});
    };
    passes_completely(model::check(depth_first(), counts));
    auto crosses = [](model::scenario& s) {
        env::mutex left, right;
        s.name(left, "left");
        s.thread("one", [&] { std::scoped_lock both{left}, then{right}; });
        s.thread("other", [&] { std::scoped_lock both{right}, then{left}; });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), crosses), "deadlock");
}

TEST_CASE("the clock moves to the deadline only when nobody can run", "[model]") {
    auto body = [](model::scenario& s) {
        env::atomic<std::uint32_t> word{0};
        auto start = env::now();
        s.thread("waiter", [&] {
            bool is_woken = env::futex_wait(word, 0, start + 5ms);
            if (!is_woken) {
                model::require(env::now() == start + 5ms, "exactly the deadline");
                model::require(word.load(acquire) == 0, "nobody else could run before");
            }
        });
        s.thread("sleeper", [&] {
            env::atomic<std::uint32_t> own{0};
            while (env::futex_wait(own, 0, start + 2ms)) {
            }
            model::require(env::now() == start + 2ms, "the nearer deadline comes first");
            word.store(1, release);
            env::futex_wake(word, 1);
        });
        s.finally([] {});
    };
    passes_completely(model::check(depth_first(), body));
}

TEST_CASE("a deadline may pass early where the options say so", "[model]") {
    auto body = [](model::scenario& s) {
        env::atomic<std::uint32_t> word{0};
        s.thread("waiter", [&] {
            bool is_woken = env::futex_wait(word, 0, env::now() + 5ms);
            model::require(is_woken, "woken in time");
        });
        s.thread("waker", [&] {
            word.store(1, release);
            env::futex_wake(word, 1);
        });
        s.finally([] {});
    };
    model::options limits = depth_first();
    passes_completely(model::check(limits, body));
    limits.early_timeouts = 1;
    fails_with(model::check(limits, body), "woken in time");
}

TEST_CASE("a spinning thread lets the others run, a livelock is reported", "[model]") {
    auto body = [](bool ends) {
        return [=](model::scenario& s) {
            env::atomic<int> lock{0}, flag{0};
            for (int i = 0; i < 2; ++i) {
                s.thread("spinner", [&] {
                    while (flag.load(acquire) == 0) env::relax();
                });
            }
            s.thread("setter", [&, ends] {
                while (lock.exchange(1, acquire) != 0) env::relax();
                if (ends) flag.store(1, release);
                lock.store(0, release);
            });
            s.finally([] {});
        };
    };
    passes_completely(model::check(depth_first(), body(true)));
    fails_with(model::check(depth_first(), body(false)), "livelock");
}

TEST_CASE("an unfair schedule of spinning writers is not taken for a livelock", "[model]") {
    auto body = [](model::scenario& s) {
        env::atomic<int> turn{0};
        for (int i = 0; i < 2; ++i) {
            s.thread("spinner", [&, i] {
                while (turn.load(acquire) != 7) {
                    if (turn.load(relaxed) == i) {
                        int expected = i;
                        turn.compare_exchange_strong(expected, 1 - i, relaxed);
                    }
                }
            });
        }
        s.thread("ender", [&] { turn.store(7, release); });
        s.finally([] {});
    };
    model::options limits{.random_executions = 200, .exhaustive_executions = 2000};
    auto outcome = model::check(limits, body);
    INFO(outcome.report());
    CHECK_FALSE(outcome.failed);
}

TEST_CASE("use after free is found although the memory looks usable", "[model]") {
    auto body = [](bool is_counted) {
        return [=](model::scenario& s) {
            struct node {
                env::atomic<int> references{2};
                env::atomic<int> value{5};
            };
            auto* shared = new node;
            for (int i = 0; i < 2; ++i) {
                s.thread("user", [=] {
                    static_cast<void>(shared->value.load(relaxed));
                    auto order = is_counted ? std::memory_order_acq_rel : relaxed;
                    if (shared->references.fetch_sub(1, order) == 1) delete shared;
                });
            }
            s.finally([] {});
        };
    };
    passes_completely(model::check(depth_first(), body(true)));
    fails_with(model::check(depth_first(), body(false)), "destroyed while another thread");
    auto early = [](model::scenario& s) {
        auto shared = std::make_unique<env::atomic<int>>(0);
        auto* raw = shared.get();
        s.thread("owner", [&] { shared.reset(); });
        s.thread("user", [=] { static_cast<void>(raw->load(relaxed)); });
        s.finally([] {});
    };
    auto outcome = model::check(depth_first(), early);
    INFO(outcome.report());
    CHECK(outcome.failed);
    fails_with(model::check({.random_executions = 100},
                            [](model::scenario& s) {
                                env::atomic<int>* volatile word = new env::atomic<int>(0);
                                delete word;
                                s.thread("user", [&] { static_cast<void>(word->load()); });
                                s.finally([] {});
                            }),
               "use after free");
}

TEST_CASE("an object published without release is caught at its first use", "[model]") {
    auto body = [](std::memory_order publish) {
        return [=](model::scenario& s) {
            env::atomic<env::atomic<int>*> pointer{nullptr};
            std::unique_ptr<env::atomic<int>> object;
            s.thread("maker", [&, publish] {
                object = std::make_unique<env::atomic<int>>(1);
                pointer.store(object.get(), publish);
            });
            s.thread("user", [&] {
                if (auto* seen = pointer.load(acquire)) {
                    model::require(seen->load(relaxed) == 1, "constructed");
                }
            });
            s.finally([] {});
        };
    };
    passes_completely(model::check(depth_first(), body(release)));
    fails_with(model::check(depth_first(), body(relaxed)), "before its construction is visible");
}

TEST_CASE("leaks and double frees are failures", "[model]") {
    auto leak = [](model::scenario& s) {
        s.thread("leaker", [] {
            int* volatile block = new int(1);  // volatile: the allocation may not be left out
            static_cast<void>(block);
        });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), leak), "leak: 1 blocks, 4 bytes");
    auto twice = [](model::scenario& s) {
        int* volatile block = new int(1);
        s.thread("first", [&] { delete block; });
        s.thread("second", [&] { delete block; });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), twice), "double free");
}

TEST_CASE("a failed check, an escaped exception and a crash end the execution only", "[model]") {
    auto checked = [](model::scenario& s) {
        s.thread("checker", [] { WEFT_CHECK(false, "expected by this test"); });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), checked), "a check failed");
    auto thrower = [](model::scenario& s) {
        s.thread("thrower", [] { throw 1; });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), thrower), "an exception left thread thrower");
#if !defined(WEFT_MODEL_ASAN) && !defined(WEFT_MODEL_TSAN)  // there the sanitizer has the signal
    auto crasher = [](model::scenario& s) {
        s.thread("crasher", [] {
            int* volatile nowhere = reinterpret_cast<int*>(std::uintptr_t{64});
            *nowhere = 1;
        });
        s.finally([] {});
    };
    fails_with(model::check(depth_first(), crasher), "crashed");
#endif
}

TEST_CASE("threads in two phases see each other's work", "[model]") {
    auto body = [](model::scenario& s) {
        env::cell<int> datum{0};
        s.thread("first", [&] { datum.store(1); });
        s.join();
        s.thread("second", [&] { datum.store(datum.load() + 1); });
        s.finally([&] { model::require(datum.load() == 2, "both ran"); });
    };
    passes_completely(model::check(depth_first(), body));
    fails_with(model::check(depth_first(), [](model::scenario& s) { s.thread("idle", [] {}); }),
               "did not call finally");
}
