// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Everything but the optional components.
#pragma once

#include "weft/combine/gather.hpp"
#include "weft/combine/inplace_vector.hpp"
#include "weft/combine/parallel_for.hpp"
#include "weft/combine/parallel_invoke.hpp"
#include "weft/combine/parallel_reduce.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/error.hpp"
#include "weft/net/tcp_listener.hpp"
#include "weft/net/tcp_stream.hpp"
#include "weft/runtime.hpp"
#include "weft/sched/task_dump.hpp"
#include "weft/sync/oneshot.hpp"
#include "weft/sync/strand.hpp"
#include "weft/task/await_chain.hpp"
#include "weft/task/create_task.hpp"
#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"
