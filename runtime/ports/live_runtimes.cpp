// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "ports/live_runtimes.hpp"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace weft::detail {

namespace {

struct entry {
    runtime_port* runtime;
    unsigned visitors = 0;    // who keep it
    bool is_leaving = false;  // it gets no more of them
};

struct runtime_list {
    std::mutex mutex;
    std::vector<entry> entries;

    entry* find(const runtime_port* runtime) noexcept {
        const auto found = std::ranges::find(entries, runtime, &entry::runtime);
        return found == entries.end() ? nullptr : &*found;
    }
};

runtime_list& all() {
    static auto* list = new runtime_list;  // statics may outlive those here
    return *list;
}

/// Its turn to go has come, and nobody keeps it.
bool try_leave(const runtime_port& runtime) noexcept {
    std::lock_guard guard{all().mutex};
    entry* const found = all().find(&runtime);
    if (found == nullptr) return true;
    found->is_leaving = true;
    if (found->visitors != 0) return false;
    all().entries.erase(all().entries.begin() + (found - all().entries.data()));
    return true;
}

}  // namespace

live_runtime::live_runtime(const runtime_port* runtime) noexcept {
    std::lock_guard guard{all().mutex};
    entry* const found = all().find(runtime);
    if (found == nullptr || found->is_leaving) return;
    ++found->visitors;
    runtime_ = found->runtime;
}

live_runtime::~live_runtime() {
    if (runtime_ == nullptr) return;
    std::lock_guard guard{all().mutex};
    if (entry* const found = all().find(runtime_)) --found->visitors;  // null in a forked child
}

void live_runtime::enter(runtime_port& runtime) {
    std::lock_guard guard{all().mutex};
    all().entries.push_back({&runtime});
}

void live_runtime::leave(runtime_port& runtime) noexcept {
    while (!try_leave(runtime)) std::this_thread::yield();  // a visit runs nothing for long
}

void live_runtime::hold_list() { all().mutex.lock(); }

void live_runtime::release_list() { all().mutex.unlock(); }

void live_runtime::forget_all() noexcept { all().entries.clear(); }

}  // namespace weft::detail
