// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/failure_sink.hpp"

#include <cstdio>

namespace weft::detail {

void failure_sink::report(const failure& what) noexcept {
    std::lock_guard guard{mutex_};
    if (!handler_) {
        std::fprintf(stderr, "weft: %s\n", what.message.c_str());
        return;
    }
    try {
        handler_(what);
    } catch (...) {
        std::fprintf(stderr, "weft: unhandled error in failure handler; it was told: %s\n",
                     what.message.c_str());
    }
}

void failure_sink::set_handler(failure_handler handler) {
    std::lock_guard guard{mutex_};
    handler_ = std::move(handler);
}

}  // namespace weft::detail
