// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/idle_set.hpp"

namespace weft::detail {

template class idle_set<real_environment>;

}  // namespace weft::detail
