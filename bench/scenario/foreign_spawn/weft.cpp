// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

// foreign_spawn on weft: runtime::spawn.
#include "foreign_spawn/workload.hpp"

#include <weft/weft.hpp>

namespace {

weft::coro<> arrives(bench::tally& tally) {
    tally.arrive();
    co_return;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::arguments given = bench::parse(argc, argv);
    weft::runtime runtime({.workers = given.workers});
    bench::measure_foreign_spawn(given,
                                 [&](bench::tally& tally) { runtime.spawn(arrives(tally)); });
}
