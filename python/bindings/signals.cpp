#include "signals.hpp"

namespace hso::bindings {

namespace {

/// The core asks about every 10 ms; where other threads run Python, the GIL may take 5 ms to come. So every second time will do.
class Signals {
  public:
    bool operator()() {
        if (asked_++ % 2 == 0) return false;  // so also the first time: Python itself has just looked
        const py::gil_scoped_acquire lock;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        return false;
    }

  private:
    unsigned asked_ = 0;
};

}  // namespace

ShouldStop signals() {
    const auto main_thread = py::module_::import("threading").attr("main_thread")().attr("ident");
    if (main_thread.is_none() || main_thread.cast<unsigned long>() != PyThread_get_thread_ident()) return {};
    return Signals();
}

}  // namespace hso::bindings
