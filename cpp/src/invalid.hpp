#pragma once

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hso::detail {

/// The shortest text that reads back as the same number.
inline std::string number(double value) {
    char buffer[32];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    return error == std::errc() ? std::string(buffer, end) : std::string("?");
}

/// Throws std::invalid_argument "<argument> must be <limit>, got <value>".
[[noreturn]] inline void throw_invalid(std::string_view argument, std::string_view value, std::string_view limit) {
    std::string message(argument);
    message.append(" must be ").append(limit).append(", got ").append(value);
    throw std::invalid_argument(message);
}

[[noreturn]] inline void throw_invalid(std::string_view argument, double value, std::string_view limit) {
    throw_invalid(argument, number(value), limit);
}

}  // namespace hso::detail
