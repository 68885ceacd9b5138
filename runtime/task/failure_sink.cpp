// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "task/failure_sink.hpp"

#include <cstdio>
#include <utility>

#include "weft/error.hpp"

namespace weft::detail {

std::string describe(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (const cancelled& c) {
        return c.reason().empty() ? "cancelled" : "cancelled: " + std::string{c.reason()};
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

void failure_sink::report(const failure& what) noexcept {
    std::lock_guard guard{mutex_};
    std::shared_ptr<const failure_handler> handler = handler_;
    if (handler == nullptr) {
        std::fprintf(stderr, "weft: %s\n", what.message.c_str());
        return;
    }
    try {
        (*handler)(what);
    } catch (...) {
        std::fprintf(stderr, "weft: unhandled error in failure handler; it was told: %s\n",
                     what.message.c_str());
    }
}

void failure_sink::set_handler(failure_handler handler) {
    auto fresh = handler ? std::make_shared<const failure_handler>(std::move(handler)) : nullptr;
    std::lock_guard guard{mutex_};
    handler_.swap(fresh);
}

}  // namespace weft::detail
