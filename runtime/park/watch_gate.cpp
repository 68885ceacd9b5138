// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/watch_gate.hpp"

namespace weft::detail {

template class watch_gate<real_environment>;

}  // namespace weft::detail
