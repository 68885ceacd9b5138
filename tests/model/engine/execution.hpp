// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One execution of a model: its threads (fibers), its memory (every store of every atomic), its
// virtual clock and its verdict. Declarations only; scheduling.cpp has threads, futex and clock,
// memory.cpp has atomics, fences and cells. Everything runs on one system thread, so nothing here
// is synchronised; a modelled thread may lose control only inside reschedule().
//
// A failing execution is abandoned, not unwound: the code under test is noexcept and its objects
// are mid-operation. Its fibers are never resumed and its watched memory is freed.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allocation.hpp"
#include "choices.hpp"
#include "fiber.hpp"
#include "knowledge.hpp"
#include "options.hpp"
#include "text.hpp"

namespace weft::model {

/// How an atomic or a cell names itself to the engine; the address tells live from freed storage.
struct handle {
    std::uint32_t id;
    const void* address;
};

enum class update_kind : std::uint8_t { exchange, add, subtract, bit_or, bit_and, bit_xor };

class execution {
public:
    /// The running execution; null outside of check() and replay().
    inline static execution* current = nullptr;

    explicit execution(const options& limits) : limits_(limits) {}

    /// Runs `body` as thread 0 until it returns or something fails; true when nothing failed.
    bool run(choice_source& choices, bool is_traced, const std::function<void()>& body);
    [[nodiscard]] const std::string& message() const noexcept { return message_; }
    [[nodiscard]] std::string trace() const;

    // For the code under test, from inside a modelled thread.
    [[noreturn]] void fail(std::string_view what);
    void add_thread(std::string_view name, std::move_only_function<void()> body);
    void join_threads();
    void set_name(const void* object, std::size_t bytes, std::string_view name);
    std::size_t choose(std::size_t options_count) { return choices_->pick(options_count); }
    [[nodiscard]] std::int64_t clock() const noexcept { return clock_; }
    [[nodiscard]] bool is_asymmetric() const noexcept { return limits_.is_asymmetric; }
    void yield(site where);

    bool futex_wait(handle word, std::uint32_t expected, std::int64_t deadline, site where);
    void futex_wake(handle word, int count, site where);
    /// A mutex is free, and one of those who wait for it goes on. In one step: whoever locks next
    /// may destroy it.
    void unlock(handle word, site where);

    std::uint32_t create_atomic(void* address, std::uint64_t value);
    void destroy_atomic(handle word, site where);
    std::uint64_t load(handle word, std::memory_order order, site where);
    void store(handle word, std::uint64_t value, std::memory_order order, site where);
    /// A read-modify-write of the low `bytes` bytes.
    std::uint64_t update(handle word, update_kind kind, std::uint64_t by, std::size_t bytes,
                         std::memory_order order, site where);
    bool compare_exchange(handle word, std::uint64_t& expected, std::uint64_t desired,
                          std::memory_order success, std::memory_order failure, bool is_weak,
                          site where);
    void seq_cst_fence(site where);
    void light_fence(site where);
    void heavy_fence(site where);

    std::uint32_t create_cell(void* address);
    void destroy_cell(handle datum, site where);
    void read_cell(handle datum, site where);
    void write_cell(handle datum, site where);

private:
    enum class thread_state : std::uint8_t { ready, runnable, blocked, joining, finished };
    enum class wake_reason : std::uint8_t { none, spurious, timeout };

    struct modelled_thread {
        thread_state state = thread_state::ready;
        bool has_yielded = false;
        bool has_timed_out = false;
        std::uint32_t waits_on = 0;
        std::int64_t deadline = 0;
        knowledge now;
        view acquired;  // what relaxed loads read: becomes visible at a fence
        view released;  // what a relaxed store hands on: fixed by the last fence
        view light;     // what a heavy fence elsewhere may count on: fixed by the last light fence
        std::string name;
        std::move_only_function<void()> body;
    };

    struct store_record {
        std::uint64_t value;
        std::uint32_t message;  // index into messages_; 0 = hands nothing on
    };
    struct location {
        const void* address = nullptr;
        bool is_alive = false;
        epoch created;
        vector_clock accessed;
        engine_vector<store_record> stores;
    };
    struct cell_record {
        const void* address = nullptr;
        bool is_alive = false;
        epoch written;
        vector_clock read;
    };
    struct action_list {
        std::array<std::uint8_t, 2 * max_threads> thread;
        std::array<wake_reason, 2 * max_threads> reason;
        std::size_t size = 0;
        void add(std::size_t id, wake_reason why) {
            thread[size] = static_cast<std::uint8_t>(id);
            reason[size++] = why;
        }
    };
    struct named_range {
        std::uintptr_t begin, end;
        std::string name;
    };

    // scheduling.cpp
    void reset(choice_source& choices, bool is_traced);
    static void enter(void* self);
    void run_thread(modelled_thread& thread);
    void finish_thread(modelled_thread& thread);
    void start_thread(std::size_t id);
    void reschedule();
    void change_to(std::size_t id);
    std::size_t next_fair();
    [[nodiscard]] bool is_eligible(std::size_t id) const;
    [[nodiscard]] std::size_t add_runnable(action_list& actions);
    void add_wakes(action_list& actions);
    [[nodiscard]] std::size_t pick(const action_list& actions, std::size_t runnable);
    void wake(std::size_t id, wake_reason why);
    int wake_waiters(handle word, int count);
    void pass_time();
    [[noreturn]] void fail_deadlock();
    void world_changed();
    modelled_thread& self() { return threads_[running_]; }

    // memory.cpp
    [[nodiscard]] std::memory_order probed(std::memory_order order, site where);
    location& access(handle word, site where);
    cell_record& access_cell(handle datum, site where);
    [[nodiscard]] stamp oldest_readable(std::uint32_t id, bool is_seq_cst);
    std::size_t pick_stale(std::size_t older);
    void take_message(const location& from, std::uint32_t id, stamp read, std::memory_order order);
    std::uint32_t new_message(std::memory_order order, std::uint32_t previous);
    void append(location& to, std::uint32_t id, std::uint64_t value, std::uint32_t message,
                std::memory_order order);
    [[nodiscard]] epoch moment() {
        return {static_cast<std::uint8_t>(running_), self().now.before.of(running_)};
    }

    // trace.hpp
    template <class Describe>
    void note(site where, Describe describe);
    template <class Describe>
    [[noreturn]] void fail_at(site where, Describe describe);
    [[nodiscard]] std::string name_of(const void* address) const;

    options limits_;
    choice_source* choices_ = nullptr;
    std::array<std::unique_ptr<fiber>, max_threads> fibers_;
    fiber root_;
    const std::function<void()>* body_ = nullptr;

    std::array<modelled_thread, max_threads> threads_;
    std::size_t thread_count_ = 0;
    std::size_t unfinished_ = 0;
    std::size_t running_ = 0;
    std::size_t steps_ = 0;
    std::size_t preemptions_ = 0, stale_ = 0, spurious_ = 0, early_ = 0;
    std::int64_t clock_ = 0;

    std::array<location, max_locations> locations_;
    std::size_t location_count_ = 0;
    engine_vector<cell_record> cells_;
    engine_vector<knowledge> messages_;
    view sequential_;  // what every seq_cst fence so far has made visible
    view heavy_;       // the same for heavy fences alone: what a light fence takes over

    bool has_failed_ = false;
    bool is_traced_ = false;
    std::string message_;
    std::vector<std::string> trace_;
    std::vector<named_range> names_;
};

}  // namespace weft::model
