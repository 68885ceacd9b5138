// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/base/unique_fd.hpp"

#include <unistd.h>

namespace weft::detail {

void unique_fd::reset(int fd) noexcept {
    int old = std::exchange(fd_, fd);
    if (old >= 0) ::close(old);
}

}  // namespace weft::detail
