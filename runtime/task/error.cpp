// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/error.hpp"

namespace weft {

bool is_cancellation(const std::exception_ptr& error) noexcept {
    if (!error) return false;
    try {
        std::rethrow_exception(error);
    } catch (const cancelled&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace weft
