// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace weft::detail {

void check_failed(const char* expression, const char* sentence, const char* file,
                  int line) noexcept {
    std::fprintf(stderr, "weft: %s (%s) at %s:%d\n", sentence, expression, file, line);
    std::abort();
}

}  // namespace weft::detail
