// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "sched/worker.hpp"
#include "weft/queue/deque.hpp"
