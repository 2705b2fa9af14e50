#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// One thing whose instructions are counted.
struct Case {
    std::string name;
    int repetitions;               ///< counted after one call that is not
    std::function<double()> call;  ///< returns something to check it by
    double expected;               ///< what `call` returns, computed in another way
    double tolerance;              ///< relative
};

std::vector<Case> all_cases();

}  // namespace bench
