#include <vector>
int x;
