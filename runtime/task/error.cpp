// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/error.hpp"

#include <typeinfo>

namespace weft {

bool is_cancellation(const std::exception_ptr& error) noexcept {
    if (!error) return false;
#ifdef __GLIBCXX__
    // Asked at each level of a chain that is cancelled, where a throw is most of what it costs.
    if (*error.__cxa_exception_type() == typeid(cancelled)) return true;
#endif
    try {
        std::rethrow_exception(error);
    } catch (const cancelled&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace weft
