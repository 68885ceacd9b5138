// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#pragma once
#include <unistd.h>

#include <vector>

#include "weft/base/check.hpp"
