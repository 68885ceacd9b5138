// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// expect: (deleted|implicitly)
#include "weft/base/unique_fd.hpp"

void copy_an_owner() {
    weft::detail::unique_fd owner;
#ifndef WEFT_CONTROL
    weft::detail::unique_fd copy = owner;
#endif
}
