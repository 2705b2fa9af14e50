// What the library must not do: tests/symbols/check.py has to find every one of these.
#include <cstdio>
#include <cstdlib>
#include <ctime>

int* forbidden(int x) {
    std::printf("%d %d\n", std::rand(), static_cast<int>(std::time(nullptr)));
    if (std::getenv("HSO") == nullptr) std::abort();
    if (x > 0) std::exit(x);
    return new int(x);
}
