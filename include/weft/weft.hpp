// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Everything but the optional components.
#pragma once

#include "weft/combine/as_completed.hpp"
#include "weft/combine/gather.hpp"
#include "weft/combine/inplace_vector.hpp"
#include "weft/combine/parallel_for.hpp"
#include "weft/combine/parallel_invoke.hpp"
#include "weft/combine/parallel_reduce.hpp"
#include "weft/combine/shield.hpp"
#include "weft/combine/task_group.hpp"
#include "weft/combine/wait.hpp"
#include "weft/combine/when_all.hpp"
#include "weft/combine/when_any.hpp"
#include "weft/error.hpp"
#include "weft/net/tcp_listener.hpp"
#include "weft/net/tcp_stream.hpp"
#include "weft/runtime.hpp"
#include "weft/sync/oneshot.hpp"
#include "weft/sync/strand.hpp"
#include "weft/task/call_soon.hpp"
#include "weft/task/checkpoint.hpp"
#include "weft/task/create_task.hpp"
#include "weft/task/future.hpp"
#include "weft/task/task_local.hpp"
#include "weft/task/with_cleanup.hpp"
#include "weft/time/cancel_scope.hpp"
#include "weft/time/retry.hpp"
#include "weft/time/sleep.hpp"
#include "weft/time/with_timeout.hpp"
