// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/queue/work_deque.hpp"

namespace weft::detail {

template class deque_ring<real_environment>;

}  // namespace weft::detail
