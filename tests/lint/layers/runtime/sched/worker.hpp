// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#pragma once
#include <sys/mman.h>
