// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// One include for both major versions of Catch2.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
