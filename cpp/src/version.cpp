#include <hso/version.hpp>

namespace hso {

std::string_view version() noexcept { return HSO_VERSION; }

bool has_nlopt() noexcept {
#ifdef HSO_WITH_NLOPT
    return true;
#else
    return false;
#endif
}

}  // namespace hso
