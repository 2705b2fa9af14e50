#include <hso/version.hpp>

#include <string>

#include <doctest/doctest.h>

TEST_CASE("the version is one in text and in numbers, in the headers and in the library") {
    CHECK(std::string(HSO_VERSION) ==
          std::to_string(HSO_VERSION_MAJOR) + "." + std::to_string(HSO_VERSION_MINOR) + "." + std::to_string(HSO_VERSION_PATCH));
    CHECK(hso::version() == HSO_VERSION);
}
