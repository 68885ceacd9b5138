// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/base/string_utils.hpp"
