// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

#define BLOCK(x) \
    do {         \
        x;       \
    } while (0)

namespace weft {
class holder {
    void too_long(int n) {
        n += 1;
        n += 2;
        n += 3;
        n += 4;
        n += 5;
        n += 6;
        n += 7;
        n += 8;
        n += 9;
        n += 10;
        n += 11;
        n += 12;
        n += 13;
        n += 14;
        n += 15;
        n += 16;
        n += 17;
        n += 18;
        n += 19;
        n += 20;
        n += 21;
        n += 22;
        n += 23;
        n += 24;
        n += 25;
        n += 26;
        n += 27;
        n += 28;
        n += 29;
        n += 30;
        n += 31;
        n += 32;
        n += 33;
        n += 34;
        n += 35;
        n += 36;
        n += 37;
        n += 38;
        n += 39;
        n += 40;
        n += 41;
        n += 42;
        n += 43;
        n += 44;
        n += 45;
        n += 46;
        n += 47;
        n += 48;
        n += 49;
        n += 50;
        n += 51;
        n += 52;
        n += 53;
        n += 54;
        n += 55;
        n += 56;
        n += 57;
        n += 58;
        n += 59;
        n += 60;
    }
    void short_one() {}
};
constexpr int table[] = {
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
    29,
    30,
    31,
    32,
    33,
    34,
    35,
    36,
    37,
    38,
    39,
    40,
    41,
    42,
    43,
    44,
    45,
    46,
    47,
    48,
    49,
    50,
    51,
    52,
    53,
    54,
    55,
    56,
    57,
    58,
    59,
    60,
    61,
    62,
    63,
    64,
    65,
    66,
    67,
    68,
    69,
    70,
};
int wide = 0;  // xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
}  // namespace weft
