// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// tcp_echo on weft.
#include "contract/contract.hpp"
#include "tcp_echo/server.hpp"

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::run(bench::serve_echo(), {.workers = given.workers});
}
