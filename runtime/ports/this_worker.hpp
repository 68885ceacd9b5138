// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#pragma once

#include "weft/ports/ports.hpp"

namespace weft::detail {

/// Makes `worker` this thread's worker; nullptr undoes it.
void set_this_worker(worker_port* worker) noexcept;

}  // namespace weft::detail
