#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "requests.hpp"

namespace load {

/// How a server is asked.
enum class Protocol {
    line,  ///< examples/server.cpp
    http,  ///< examples/service: HTTP 1.1, connections kept
};

/// The bytes of a request.
inline std::string request_text(Protocol protocol, std::uint64_t id, const Request& request) {
    char text[512];
    if (protocol == Protocol::line) {
        std::snprintf(text, sizeof text, "%llu %d %d %d\n", static_cast<unsigned long long>(id), request.width, request.height,
                      request.nfe);
        return text;
    }
    char body[128];
    const int size = std::snprintf(body, sizeof body, "{\"preset\":\"flux-dev\",\"width\":%d,\"height\":%d,\"nfe\":%d}",
                                   request.width, request.height, request.nfe);
    std::snprintf(text, sizeof text,
                  "POST /schedule HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                  size, body);
    return text;
}

/// A whole answer at the beginning of `received`.
struct Answer {
    std::size_t size;  ///< bytes
    bool good;         ///< it is what was asked for
};

/// The number of sigmas in a JSON answer: one more than the commas of their list; 0 where there is no such list.
inline int sigmas_in(std::string_view json) {
    const std::size_t begin = json.find("\"sigmas\"");
    if (begin == json.npos) return 0;
    const std::string_view list = json.substr(begin, json.find(']', begin) - begin);
    int values = 1;
    for (const char c : list) values += c == ',' ? 1 : 0;
    return values;
}

/// A number after `name`, without regard to case as HTTP has it.
inline std::optional<std::size_t> header_number(std::string_view headers, std::string_view name) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    for (std::size_t at = 0; at + name.size() <= headers.size(); ++at) {
        std::size_t same = 0;
        while (same < name.size() && lower(headers[at + same]) == name[same]) ++same;
        if (same < name.size()) continue;
        std::string_view rest = headers.substr(at + same);
        while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
        std::size_t value = 0;
        if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc{}) return value;
    }
    return {};
}

/// The answer to request `id`; nothing while it is incomplete.
inline std::optional<Answer> answer_in(Protocol protocol, std::string_view received, std::uint64_t id, const Request& request) {
    const int sigmas = request.nfe + 1;
    if (protocol == Protocol::line) {
        const std::size_t end = received.find('\n');
        if (end == received.npos) return {};
        const std::string_view line = received.substr(0, end);
        return Answer{end + 1, line.starts_with("{\"id\": " + std::to_string(id) + ",") && sigmas_in(line) == sigmas};
    }
    const std::size_t end = received.find("\r\n\r\n");
    if (end == received.npos) return {};
    const std::optional<std::size_t> size = header_number(received.substr(0, end), "\r\ncontent-length:");
    if (!size) return Answer{received.size(), false};
    if (received.size() < end + 4 + *size) return {};
    return Answer{end + 4 + *size, received.starts_with("HTTP/1.1 200 ") && sigmas_in(received.substr(end + 4, *size)) == sigmas};
}

}  // namespace load
