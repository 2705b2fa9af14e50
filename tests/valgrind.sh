#!/usr/bin/env bash
# Runs the tests that go through NLopt under valgrind's memcheck: no error, nothing lost.
#     tests/valgrind.sh [build folder, build/valgrind]
# Valgrind is 30 times slower, so the longest are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/valgrind}
# RelWithDebInfo: -O2 keeps the vector clones, of which valgrind's processor has no AVX-512
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHSO_WERROR=ON >/dev/null
cmake --build "$build" --target hso_tests hso_random_calls
check=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --track-origins=yes)

"${check[@]}" "$build/tests/cpp/hso_tests" --source-file='*slsqp_test.cpp,*dm_nonuni_test.cpp'
"${check[@]}" "$build/tests/cpp/hso_tests" --test-suite=nlopt --source-file='*golden_test.cpp,*invalid_test.cpp'
# so few that none takes a second here, which the program would fail
"${check[@]}" "$build/tests/cpp/hso_random_calls" --calls 200
