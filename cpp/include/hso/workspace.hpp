#pragma once

/// @file
/// The memory that searches work in, for callers that search again and again.

#include <memory>

#include <hso/export.h>

namespace hso {

namespace detail {
struct Searches;
}

/// The memory that a search works in, kept from one optimize() to the next: a call that needs no more of it than earlier
/// ones did allocates nothing. What was searched before has no influence on a result.
///
/// One workspace per thread: it serves one call at a time, and refuses a second one with std::logic_error. A new workspace
/// holds nothing; the first call creates what it needs, and a moved-from workspace is as good as new. It keeps the noise
/// schedule and the error proxy of its last call with Search::exact alive.
///
/// It holds what its largest call needed, or at most twice that. For Search::exact and nfe 4 to 12 that is 0.1 MB without a
/// certificate and 0.4 MB with one; with one 1 MB at nfe 20 and 50 MB at nfe 200; a certificate that spends its whole
/// budget takes up to 220 MB (nfe 10,000): release() what such a call leaves behind.
class HSO_EXPORT Workspace {
  public:
    Workspace() noexcept;                              ///< allocates nothing
    ~Workspace();                                      ///< gives the memory back
    Workspace(Workspace&& other) noexcept;             ///< takes over the memory
    Workspace& operator=(Workspace&& other) noexcept;  ///< gives its own memory back and takes over the other's

    /// Gives all memory back: as good as new. Not to be called during a call.
    void release() noexcept;

  private:
    friend struct detail::Searches;
    std::unique_ptr<detail::Searches> searches_;
};

}  // namespace hso
