// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/park/parker.hpp"

namespace weft::detail {

template class parker<real_environment>;

}  // namespace weft::detail
