// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include <sys/mman.h>

#include "weft/queue/deque.hpp"
