// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "ports/live_runtimes.hpp"

#include <algorithm>

namespace weft::detail {

namespace {

struct runtime_list {
    std::mutex mutex;
    std::vector<runtime_port*> runtimes;
};

runtime_list& all() {
    static auto* list = new runtime_list;  // statics may outlive those here
    return *list;
}

}  // namespace

live_runtime::live_runtime(runtime_port* runtime) noexcept : lock_(all().mutex) {
    if (std::ranges::find(all().runtimes, runtime) != all().runtimes.end()) runtime_ = runtime;
}

void live_runtime::enter(runtime_port& runtime) {
    std::lock_guard guard{all().mutex};
    all().runtimes.push_back(&runtime);
}

void live_runtime::leave(runtime_port& runtime) noexcept {
    std::lock_guard guard{all().mutex};
    std::erase(all().runtimes, &runtime);
}

void live_runtime::hold_list() { all().mutex.lock(); }

void live_runtime::release_list() { all().mutex.unlock(); }

void live_runtime::forget_all() noexcept { all().runtimes.clear(); }

}  // namespace weft::detail
