// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// Nothing computes.
#include "echo_background/server.hpp"

int main(int argc, char** argv) { return bench::run_server(argc, argv, std::nullopt); }
