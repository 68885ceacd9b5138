// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#include "tcp_echo/load.c"
