// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The kqueue backend on the real kernel.

#if !defined(__linux__)

#include "reactor/kqueue_system.hpp"

#include "reactor/kqueue_poller.hpp"

namespace weft::detail {

std::unique_ptr<poller> make_system_poller() {
    return std::make_unique<kqueue_poller<kqueue_system>>();
}

}  // namespace weft::detail

#endif
