module weft/bench/scenario

go 1.19
