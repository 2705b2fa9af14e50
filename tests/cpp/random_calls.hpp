#pragma once

#include <cmath>
#include <span>

#include <hso/schedule.hpp>
#include <hso/workspace.hpp>

#include "source.hpp"

namespace hso::test {

/// What one random call after the other is made with.
struct Caller {
    fuzz::Source source;
    Workspace workspace = {};
    Schedule schedule = {};
};

/// A kind of call: made with random arguments, checked, Broken where a promise is not kept.
struct CallKind {
    const char* name;
    unsigned weight;  ///< how often, beside the others
    void (*make)(Caller&);
};

/// Calls that have to succeed.
std::span<const CallKind> valid_calls();

/// Calls with one thing wrong, that have to be refused with a std::invalid_argument that names it.
std::span<const CallKind> invalid_calls();

}  // namespace hso::test
