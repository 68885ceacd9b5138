// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "weft/queue/deque.hpp"

#include "sched/worker.hpp"
