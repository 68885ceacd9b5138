// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "ports/this_worker.hpp"

namespace weft::detail {

namespace {
constinit thread_local worker_port* worker_of_thread = nullptr;
}

// The empty asm keeps link-time optimisation from proving this pure and merging two calls around a
// suspension.
[[gnu::noinline]] worker_port* this_worker() noexcept {
    asm volatile("" ::: "memory");
    return worker_of_thread;
}

[[gnu::noinline]] void set_this_worker(worker_port* worker) noexcept { worker_of_thread = worker; }

}  // namespace weft::detail
