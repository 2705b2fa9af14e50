#include "answers.hpp"

namespace bench {

int& wrong_answers() {
    static int count = 0;
    return count;
}

}  // namespace bench

/// Google Benchmark's own main() ends well even where a benchmark says that its answer is wrong.
int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return bench::wrong_answers() == 0 ? 0 : 1;
}
