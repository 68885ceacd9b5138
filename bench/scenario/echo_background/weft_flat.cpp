// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// The tasks that compute have the priority of those that serve.
#include "echo_background/server.hpp"

int main(int argc, char** argv) { return bench::run_server(argc, argv, weft::priority::normal); }
